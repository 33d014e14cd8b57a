package strictyaml

import (
	"fmt"
	"time"
)

// Duration is a time span in a file, such as 5s or 24h.
type Duration time.Duration

// UnmarshalText reads what [time.ParseDuration] reads, except what is negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("is %.40q: give a time such as 500ms, 5s, 10m or 24h", text)
	}
	*d = Duration(v)
	return nil
}

// SchemaPattern is the pattern of a duration.
func (*Duration) SchemaPattern() string { return `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$` }

// Or returns the time span, or another one if it is zero.
func (d Duration) Or(other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return time.Duration(d)
}
