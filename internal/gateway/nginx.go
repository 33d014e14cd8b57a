package gateway

import (
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/strictyaml"
)

// nginxWords are directives of nginx, with the words of the configuration that do the same. docs/gateway.md has them.
var nginxWords = map[string]string{
	"server":                        "routes",
	"server_name":                   "hosts",
	"proxy_pass":                    "upstream",
	"ssl_certificate":               "tls.certificate",
	"ssl_certificate_key":           "tls.key",
	"ssl_client_certificate":        "tls.client_ca",
	"proxy_ssl_trusted_certificate": "upstream.tls.ca",
	"proxy_ssl_certificate":         "upstream.tls.certificate",
	"proxy_ssl_certificate_key":     "upstream.tls.key",
	"proxy_ssl_name":                "upstream.tls.name",
	"proxy_connect_timeout":         "upstream.connect",
	"proxy_read_timeout":            "upstream.response",
	"client_max_body_size":          "max_payload",
	"client_header_timeout":         "limits.header_time",
	"client_body_timeout":           "limits.body_rate",
	"keepalive_timeout":             "limits.idle",
	"worker_connections":            "limits.connections",
	"limit_req":                     "partner_limits.rate",
	"limit_conn":                    "partner_limits.in_flight",
	"set_real_ip_from":              "caller.from",
	"access_log":                    "log",
	"error_log":                     "log",
}

// nameNginx adds our words to the faults of keys that are directives of nginx.
func nameNginx(list []strictyaml.Fault) {
	for i, one := range list {
		key := one.Path[strings.LastIndexAny(one.Path, ".]")+1:]
		if word := nginxWords[key]; word != "" && one.Meant == "" && strings.HasPrefix(one.Text, noSuchKey) {
			list[i].Text = fmt.Sprintf("%s; what nginx calls %s is %s here", noSuchKey, key, word)
		}
	}
}

const noSuchKey = "there is no such key"
