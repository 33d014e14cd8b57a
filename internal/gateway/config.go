// Package gateway seals and opens for the application next to it: a reverse proxy whose routes are
// sealed lanes, at both ends of the wire.
//
// A [Config] is one file; [Read] reads it strictly and [Config.Check] says what is refused at start. An
// egress route takes plain requests of an application and seals them to a partner (egress.go); an
// ingress route opens a partner's requests for an application (ingress.go); a local route seals and opens
// messages for programs that carry them themselves (local.go). The package knows no
// SQL and no rule of the registry: a program passes it a [Registry], which reads snapshots.
package gateway

import (
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/lanedir"
)

// Config is the configuration of one gateway. The field tags are the words of the file.
type Config struct {
	// Admin is where health, metrics and status are served: HOST:PORT or unix:PATH. Empty: nowhere.
	Admin Address `yaml:"admin"`
	// Log says how lines are written.
	Log Log `yaml:"log"`
	// Registry is the database from which lanes come. Empty: all lanes come from files.
	Registry *RegistryConfig `yaml:"registry"`
	// Notify says where programs are told that a certificate in a file ends.
	Notify *Notify `yaml:"notify"`
	// Limits bound the whole process.
	Limits Limits `yaml:"limits"`
	// PartnerLimits bound each partner. The registry may have other limits for a lane; the tighter one applies.
	PartnerLimits PartnerLimits `yaml:"partner_limits"`
	// Metrics says what is measured.
	Metrics Metrics `yaml:"metrics"`
	// Drain says how the gateway ends.
	Drain Drain `yaml:"drain"`
	// Routes are the ways through the gateway.
	Routes []Route `yaml:"routes"`

	file  string         // the name of the file
	dir   string         // of the file: relative paths begin here
	lines map[string]int // where each word of the file stands, by its path
}

// Log says how lines are written.
type Log struct {
	// Format is json or text. The default is json.
	Format string `yaml:"format" enum:"json,text"`
	// Level is debug, info, warn or error. The default is info.
	Level string `yaml:"level" enum:"debug,info,warn,error"`
}

// RegistryConfig names the registry's database.
type RegistryConfig struct {
	// DB is the URL of PostgreSQL or the file of SQLite.
	DB string `yaml:"db"`
	// RootKey is the root key, under which the private keys are stored.
	RootKey Secret `yaml:"root_key"`
	// Refresh is how often the gateway asks whether the registry has changed. Then it reads the
	// changes. The default is 1s.
	Refresh Duration `yaml:"refresh"`
	// StaleAfter is how long the gateway goes on without its database. Then every lane fails
	// closed. The default is 24h.
	StaleAfter Duration `yaml:"stale_after"`
	// Cache is a file in which the lanes are kept, sealed under the root key, so that the gateway can
	// start without its database. The default is none.
	Cache Path `yaml:"cache"`
	// Environments are those whose lanes the gateway reads. The default is all.
	Environments []string `yaml:"environments"`
	// Node is the name by which the gateway reports itself in the registry. Each process that serves
	// messages must have its own. The default is the host's name.
	Node string `yaml:"node"`
	// Schedule makes the gateway advance renewals each minute: it stages, activates, confirms and
	// retires keys, as people have ordered. The user of the database must be one who changes the
	// registry. One process at a time works. The default is no: sealane schedule does it.
	Schedule bool `yaml:"schedule"`
	// Notify is the file that says how people are told that a certificate ends: docs/renewal.md. The
	// schedule sends the mails. The default is none: people send them.
	Notify Path `yaml:"notify"`
}

// Notify says where programs are told that a certificate in a file ends.
type Notify struct {
	// Webhook is the program that is told. The default is that of registry.notify, if any.
	Webhook *notify.WebhookConfig `yaml:"webhook"`
}

// Limits bound the whole process.
type Limits struct {
	// Connections is how many connections a listener has open at once. Each source network, but not a proxy in
	// caller.from, may have three quarters of those that the others leave. The default is 20000.
	Connections int `yaml:"connections"`
	// Header is the size of a request's header. The default is 32KiB.
	Header Size `yaml:"header"`
	// HeaderTime is how long a header may take to arrive. The default is 10s.
	HeaderTime Duration `yaml:"header_time"`
	// BodyRate is how fast a body must arrive, in bytes a second, after its first ten seconds. The
	// default is 1KiB.
	BodyRate Size `yaml:"body_rate"`
	// Idle is how long a connection without a request stays open. The default is 120s.
	Idle Duration `yaml:"idle"`
	// Memory is how many bytes sealed messages hold at once, on all routes. The default is auto: if the process
	// is in a control group with a limit of memory, half of that, and Go's memory limit (GOMEMLIMIT) is set to
	// 90% of it; otherwise 256MiB.
	Memory Memory `yaml:"memory"`
	// RSA is how many messages are sealed or opened at once. The default is what the RSA engine can
	// use: the number of processors, or 16 times as many with an engine that works in batches.
	RSA int `yaml:"rsa"`
	// Queue is how long a request waits for its turn to be opened, or sealed. The default is 1s.
	Queue Duration `yaml:"queue"`
}

// PartnerLimits bound each partner. The zero value has no rate.
type PartnerLimits struct {
	// Rate is how many requests a second a partner may make. The default is no limit.
	Rate Rate `yaml:"rate"`
	// Burst is how many requests may come at once. The default is twice the rate.
	Burst int `yaml:"burst"`
	// InFlight is how many sealed requests of a partner are served at once, at most. The default is no limit but
	// its share: three quarters of what others leave of 8192.
	InFlight int `yaml:"in_flight"`
	// Failures is how many requests of one partner may be refused in a second because of what they are. The
	// default is no limit. It is also how many callers of one source network may be refused in a second
	// because they are not known; there the default is 10/s, and a route has none of its own.
	Failures Rate `yaml:"failures"`
}

// Metrics says what is measured.
type Metrics struct {
	// Partners is how many partners have a name of their own in metrics. The default is 500.
	Partners int `yaml:"partners"`
}

// Drain says how the gateway ends.
type Drain struct {
	// Wait is how long it says that it is not ready, and still takes requests. The default is none.
	Wait Duration `yaml:"wait"`
	// End is how long open requests have after that. The default is 30s.
	End Duration `yaml:"end"`
}

// Route is one way through the gateway: an egress, an ingress or a local API.
type Route struct {
	// Name names the route in logs and metrics. It must be given, and be unique.
	Name string `yaml:"name"`
	// Egress is the profile of a route for an application that calls a partner: a name or a file.
	Egress string `yaml:"egress"`
	// Ingress is the profile of a route for a partner that calls an application: a name or a file.
	Ingress string `yaml:"ingress"`
	// Local is the profile of a local API, which seals and opens messages for programs that carry them
	// themselves: a name, or "any".
	Local string `yaml:"local"`
	// Partner is the partner's name. With a registry it is a partner there, or "path" on an egress
	// route, for requests to /{partner}/{environment}/….
	Partner string `yaml:"partner"`
	// Environment is one of the profile's.
	Environment string `yaml:"environment"`

	// Listen is where requests come in: HOST:PORT, unix:PATH, or systemd:NAME for a socket of a socket unit.
	Listen Listen `yaml:"listen"`
	// Hosts lists the values of the header Host that are served. On an egress route the default is
	// the listen address and the names of loopback; on an ingress route it is every host.
	Hosts []string `yaml:"hosts"`
	// TLS is the server's. Without it the listener speaks plain HTTP.
	TLS *ServerTLS `yaml:"tls"`
	// Clients says what else the callers of a listener must show.
	Clients *Clients `yaml:"clients"`
	// Tokens are those of a local API's programs, each with what it may do.
	Tokens []LocalToken `yaml:"tokens"`
	// Caller says how an ingress route knows its callers.
	Caller *Caller `yaml:"caller"`

	// Upstream is where requests go. On an egress route with a registry, the registry's URL is the default.
	Upstream *Upstream `yaml:"upstream"`
	// Keys are the lane's keys, or the folder of a lane. Without it the registry has them.
	Keys *Keys `yaml:"keys"`
	// AcceptRSAOAEP is the reason why the lane opens RSA-OAEP (SHA-1) too.
	AcceptRSAOAEP string `yaml:"accept_rsa_oaep"`
	// Expired says what becomes of messages after a certificate of the lane has ended: warn, refuse, or nothing for 14
	// days of warnings before nothing is sealed any more.
	Expired sealane.Expired `yaml:"expired" enum:"warn,refuse"`
	// NoResend is the reason why an egress route sends no message again with other keys, after the partner could not
	// decrypt or verify it.
	NoResend string `yaml:"no_resend"`
	// Sealing is required or optional. With a registry it can only tighten what is agreed there.
	Sealing sealane.Sealing `yaml:"sealing" enum:"required,optional"`
	// MaxPayload is the size of the largest payload. With a registry it can only be smaller than agreed there.
	MaxPayload Size `yaml:"max_payload"`
	// Plain lists requests that pass unencrypted although sealing is required, as "METHOD /path/{variable}".
	Plain []string `yaml:"plain"`

	// Authorization is the value of the header Authorization that an egress route sends to the
	// partner, in place of the application's. A value without a scheme is sent as a Bearer token.
	Authorization Secret `yaml:"authorization"`
	// ForwardAuthorization sends the header Authorization of an ingress route's caller to the application.
	ForwardAuthorization bool `yaml:"forward_authorization"`
	// Limits bound each partner on this route, in addition to partner_limits.
	Limits PartnerLimits `yaml:"limits"`
	// IdentityHeader is a header in which an ingress route's application finds the partner, in addition to
	// Sealane-Partner.
	IdentityHeader string `yaml:"identity_header"`
}

// Listen is an address to listen on. A file may have the address alone.
type Listen struct {
	// Address is HOST:PORT, unix:PATH, or systemd:NAME, a socket that systemd passes under that name
	// (FileDescriptorName=).
	Address Address `yaml:"address"`
	// Mode is the mode of a unix socket, in octal. The default is 0600.
	Mode string `yaml:"mode"`
	// Group is the group of a unix socket: a name or a number.
	Group string `yaml:"group"`
}

// ServerTLS is the TLS of a listener.
type ServerTLS struct {
	// Certificate is a PEM file with the server's certificate and those of its issuers.
	Certificate Path `yaml:"certificate"`
	// Key is a PEM file with the certificate's private key.
	Key Path `yaml:"key"`
	// ClientCA is a PEM file with the certificates of those who issue client certificates. With it,
	// every client must have one.
	ClientCA Path `yaml:"client_ca"`
	// ClientNames lists the names (DNS names or common names) of the client certificates that are served.
	ClientNames []string `yaml:"client_names"`
}

// Clients says what the callers of a listener must show.
type Clients struct {
	// Token is what they send in the header Sealane-Token.
	Token Secret `yaml:"token"`
}

// LocalToken is the token of a program that uses a local API, and what the program may do.
type LocalToken struct {
	// Name names the program in the log.
	Name string `yaml:"name"`
	// Token is what it sends in the header Sealane-Token.
	Token Secret `yaml:"token"`
	// Verbs are seal and open. The default is both.
	Verbs []string `yaml:"verbs"`
	// Partners lists the partners whose messages it may use. The default is all.
	Partners []string `yaml:"partners"`
	// Environments lists the environments. The default is all.
	Environments []string `yaml:"environments"`
}

// Caller says how an ingress route knows its callers. A file may have the way alone.
type Caller struct {
	// Way is api-key, mutual-tls or unauthenticated.
	Way string `yaml:"way" enum:"api-key,mutual-tls,unauthenticated"`
	// AccountHeader is a header in which a proxy in front names the caller's account.
	AccountHeader string `yaml:"account_header"`
	// CertificateHeader is a header in which a proxy in front names the subject of the caller's certificate.
	CertificateHeader string `yaml:"certificate_header"`
	// Names lists the names that CertificateHeader may have: common names.
	Names []string `yaml:"names"`
	// From lists the addresses of the proxies whose headers are believed, X-Forwarded-For too, in CIDR notation.
	From []Prefix `yaml:"from"`
}

// Upstream is where requests go. A file may have the URL alone.
type Upstream struct {
	// URL is http, https or unix:PATH. Its path stands in front of the request's.
	URL string `yaml:"url"`
	// PlainBecause is the reason why decrypted bodies may go to another host without TLS.
	PlainBecause string `yaml:"plain_because"`
	// Host is "upstream" or "keep": the header Host that an application gets. The default is upstream.
	Host string `yaml:"host" enum:"upstream,keep"`
	// Proxy is "none" or "environment" (HTTPS_PROXY and so on). An ingress route has none; the
	// default of an egress route with an upstream of its own is environment.
	Proxy string `yaml:"proxy" enum:"none,environment"`
	// AllowAddresses lists private, loopback or link-local addresses to which a URL of the registry may lead.
	AllowAddresses []Prefix `yaml:"allow_addresses"`
	// Connect is how long a connection may take to be made. The default is 5s.
	Connect Duration `yaml:"connect"`
	// Response is how long the response to a sealed request, or the header of another, may take. The
	// default is 30s.
	Response Duration `yaml:"response"`
	// Idle is how long a connection without a request is kept. The default is 30s.
	Idle Duration `yaml:"idle"`
	// TLS is the client's.
	TLS *ClientTLS `yaml:"tls"`
}

// ClientTLS is the TLS to an upstream.
type ClientTLS struct {
	// CA is a PEM file with the certificates of those who issue the server's. The default are the system's.
	CA Path `yaml:"ca"`
	// Certificate is a PEM file with our client certificate.
	Certificate Path `yaml:"certificate"`
	// Key is a PEM file with its private key.
	Key Path `yaml:"key"`
	// Name is the name in the server's certificate, where it is not the URL's host.
	Name string `yaml:"name"`
}

// Keys are the keys of a route's lane, or the folder of a lane. A file may have the folder alone.
type Keys struct {
	// Passphrase is that of the private keys, where they are encrypted.
	Passphrase Secret `yaml:"passphrase"`
	// Folder is a lane folder.
	Folder Path `yaml:"folder"`
	// Ours are our private keys, and Theirs the partner's certificates. The first key without a
	// state is active; others without one are retiring.
	Ours   lanedir.Keys `yaml:"ours"`
	Theirs lanedir.Keys `yaml:"theirs"`
	// AcceptCertificate is the reason to use keys although a check of them fails.
	AcceptCertificate string `yaml:"accept_certificate"`
}

// The values of the words that have a default.
const (
	defaultRefresh    = time.Second
	defaultStaleAfter = 24 * time.Hour
	defaultIdle       = 120 * time.Second
	defaultConnect    = 5 * time.Second
	defaultResponse   = 30 * time.Second
	defaultKeptIdle   = 30 * time.Second
)

// The ways to know a caller.
const (
	callerAPIKey          = "api-key"
	callerMutualTLS       = "mutual-tls"
	callerUnauthenticated = "unauthenticated"
)

// partnerFromPath is the Partner of an egress route whose requests name it.
const partnerFromPath = "path"

// proxyEnvironment is the Proxy of an upstream that is reached by the proxies of the environment.
const proxyEnvironment = "environment"
