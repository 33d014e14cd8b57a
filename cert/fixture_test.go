package cert_test

import "github.com/sealane/sealane/internal/testcert"

var must, wantError = testcert.Must, testcert.WantError
