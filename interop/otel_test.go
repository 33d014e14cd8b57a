package interop

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// traced returns hooks that make a span of each message that is sealed, opened or refused. Its
// attributes are names, sizes and codes: no payload, token or key.
func traced(tracer trace.Tracer) sealhttp.Hooks {
	return sealhttp.Hooks{Observe: func(ctx context.Context, e sealhttp.Event) {
		end := time.Now()
		_, span := tracer.Start(ctx, "sealane "+string(e.Step), trace.WithTimestamp(end.Add(-e.Took)),
			trace.WithAttributes(
				attribute.String("sealane.lane", e.Lane.Name()), attribute.Int("sealane.size", e.Size),
				attribute.String("sealane.key_id", e.KeyID),
				attribute.Float64("sealane.waited_seconds", e.Waited.Seconds()),
			))
		if e.Err != nil {
			span.SetAttributes(attribute.String("sealane.fault", string(e.Fault())))
			span.SetStatus(codes.Error, string(e.Outcome()))
		}
		span.End(trace.WithTimestamp(end))
	}}
}

// Spans of the messages that a service opens and seals, by the hooks of a Handler. The main module does
// not depend on OpenTelemetry.
func Example_openTelemetry() {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	defer provider.Shutdown(context.Background())

	lane, err := sealane.New(sealanetest.ProviderConfig())
	if err != nil {
		log.Fatal(err)
	}
	service := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w,
				`{"eval_id":"e-1"}`)
		}),
		Log: slog.New(slog.DiscardHandler), Hooks: traced(provider.Tracer("example")),
	})
	customer, err := sealane.New(sealanetest.CustomerConfig())
	if err != nil {
		log.Fatal(err)
	}
	for _, client := range []*http.Client{sealhttp.NewClient(customer), http.DefaultClient} {
		response, err := client.Post(service.URL+"/api/evaluation", "application/json",
			strings.NewReader(`{"id":"1"}`))
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
	}
	service.Close()
	for _, span := range exporter.GetSpans() {
		fmt.Println(strings.TrimSpace(span.Name + " " + span.Status.Description))
	}
	// Output:
	// sealane open
	// sealane seal
	// sealane open plain-refused
}
