module example.com/outside

go 1.26

require github.com/sealane/sealane v0.0.0

replace github.com/sealane/sealane => ../../..
