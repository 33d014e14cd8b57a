package sealhttp_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// exampleLanes returns both ends of a lane. In programs the keys come from files, a
// vault or a hardware module (package kms), and the partner's from its certificate.
func exampleLanes() (customer, provider *sealane.Lane) {
	customer, err := sealane.New(sealanetest.CustomerConfig())
	if err != nil {
		log.Fatal(err)
	}
	provider, err = sealane.New(sealanetest.ProviderConfig())
	if err != nil {
		log.Fatal(err)
	}
	return customer, provider
}

// A customer's application sends and receives plain JSON.
func ExampleTransport() {
	customer, provider := exampleLanes()
	server := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(provider),
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"eval_id":"e-1","decision":"ACCEPT"}`)
		}),
	})
	defer server.Close()

	client := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(customer)}}
	response, err := client.Post(server.URL+"/api/evaluation", "application/json", strings.NewReader(`{"id":"r-1"}`))
	switch {
	case errors.Is(err, sealane.ErrMayBeProcessed):
		log.Fatal("ask for the result before you send it again: ", err)
	case err != nil:
		log.Fatal("nothing was processed: ", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	if message, sealed := sealhttp.MessageFrom(response.Request.Context()); sealed {
		if verified, ok := message.(*sealane.Verified); ok {
			fmt.Println("signed by", verified.Signer().ID)
		}
	}
	// Output:
	// {"eval_id":"e-1","decision":"ACCEPT"}
	// signed by sealanetest-provider
}

// A provider's service sees plain JSON, and knows who signed it.
func ExampleHandler() {
	customer, provider := exampleLanes()
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message, sealed := sealhttp.MessageFrom(r.Context())
		if verified, ok := message.(*sealane.Verified); sealed && ok {
			fmt.Printf("%s, signed by %s\n", verified.Payload(), verified.Signer().ID)
		}
		fmt.Fprint(w, `{"eval_id":"e-1"}`)
	})
	handler := &sealhttp.Handler{
		Lane: func(r *http.Request) (*sealane.Lane, error) {
			if r.Header.Get("Authorization") != "Bearer the-customers-key" {
				return nil, sealhttp.ErrUnauthenticated
			}
			return provider, nil
		},
		Next: service,
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	r, err := http.NewRequest("POST", server.URL+"/api/evaluation", strings.NewReader(`{"id":"r-1"}`))
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer the-customers-key")
	response, err := sealhttp.NewClient(customer).Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output:
	// {"id":"r-1"}, signed by sealanetest-customer
	// 200 OK
}
