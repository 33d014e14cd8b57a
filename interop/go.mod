module github.com/sealane/sealane/interop

go 1.26.0

replace github.com/sealane/sealane => ../

require github.com/go-jose/go-jose/v4 v4.1.8 // indirect
