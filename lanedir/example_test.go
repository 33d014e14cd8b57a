package lanedir_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/sealane/sealane/lanedir"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// A client whose keys can be renewed while it runs: the lane is read again when its folder changes.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "lane")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := lanedir.Write(dir+"/provider", lanedir.Lane{Config: sealanetest.CustomerConfig()}); err != nil {
		log.Fatal(err)
	}

	folder, err := lanedir.Open(context.Background(), dir+"/provider", lanedir.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go folder.Watch(ctx, 10*time.Second, func(changed bool, err error) { log.Print(changed, err) })

	client := &http.Client{Transport: &sealhttp.Transport{Lane: folder.LaneFunc}}
	_ = client // sends sealed requests
	fmt.Println(folder.Lane().Name())
	// Output: riskos/provider/SANDBOX
}
