// Create_image turns an audio file into an image, and reports on the way.
//
//	create_image AUDIO IMAGE [TARGET] [SERVICE_CONFIG]
//
// TARGET is the gRPC address of a gateway, 127.0.0.1:50050 by default; SERVICE_CONFIG is protos/service_config.json by
// default. It needs google.golang.org/grpc and google.golang.org/genproto/googleapis/rpc, and the stubs that
// protoc-gen-go and protoc-gen-go-grpc make of protos/chladni, below chladni.dev/go. clients/check_examples.py builds it.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/ioutil"
	"os"
	"path/filepath"
	"time"

	gatewayv1 "chladni.dev/go/gateway/v1"
	generationv1 "chladni.dev/go/generation/v1"
	mediav1 "chladni.dev/go/media/v1"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health" // for the health check of the service config
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	creationTime  = 120 * time.Second
	keepaliveTime = 30 * time.Second
	// gRPC repeats no request that is larger than it keeps: an audio file may be 10 MiB.
	retryBufferBytes = 11 * 1024 * 1024
)

func main() {
	if len(os.Args) < 3 || len(os.Args) > 5 {
		fmt.Fprintln(os.Stderr, "Usage: create_image AUDIO IMAGE [TARGET] [SERVICE_CONFIG]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], argument(3, "127.0.0.1:50050"), argument(4, "protos/service_config.json")); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func argument(index int, otherwise string) string {
	if len(os.Args) > index {
		return os.Args[index]
	}
	return otherwise
}

func run(audioPath, imagePath, target, configPath string) error {
	audio, err := ioutil.ReadFile(audioPath)
	if err != nil {
		return err
	}
	config, err := ioutil.ReadFile(configPath)
	if err != nil {
		return err
	}
	connection, err := grpc.Dial(
		target,
		grpc.WithInsecure(),
		grpc.WithDefaultServiceConfig(string(config)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime}),
		grpc.WithDefaultCallOptions(grpc.MaxRetryRPCBufferSize(retryBufferBytes)),
	)
	if err != nil {
		return err
	}
	defer connection.Close()

	ctx, cancel := context.WithTimeout(context.Background(), creationTime)
	defer cancel()
	requestID, err := newRequestID()
	if err != nil {
		return err
	}
	seed := int64(7)
	stream, err := gatewayv1.NewImageServiceClient(connection).CreateImage(ctx, &gatewayv1.CreateImageRequest{
		Audio: &mediav1.AudioClip{
			Source:      &mediav1.AudioClip_Content{Content: audio},
			DisplayName: filepath.Base(audioPath),
		},
		Options:   &generationv1.GenerationOptions{Seed: &seed},
		RequestId: requestID,
	})
	if err != nil {
		return describe(err, nil)
	}
	isWritten := false
	for {
		response, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			header, _ := stream.Header()
			return describe(err, header)
		}
		switch event := response.Event.(type) { // Clients ignore events that they do not know.
		case *gatewayv1.CreateImageResponse_Accepted:
			fmt.Printf("image %s, seed %d\n", event.Accepted.OperationId, event.Accepted.Seed)
		case *gatewayv1.CreateImageResponse_Progress:
			fmt.Printf("step %d of %d\n", event.Progress.Step, event.Progress.TotalSteps)
		case *gatewayv1.CreateImageResponse_Created:
			// A file above 3 MiB is not in the event: DownloadImage has it.
			file := event.Created.GetFile()
			if file == nil {
				return errors.New("the image is larger than 3 MiB")
			}
			if err := ioutil.WriteFile(imagePath, file.GetContent(), 0o644); err != nil {
				return err
			}
			isWritten = true
			fmt.Printf("%s, made by %s\n", imagePath, event.Created.GetImage().GetProvenance().GetModel())
		}
	}
	if !isWritten {
		return errors.New("the call ended without an image")
	}
	return nil
}

// newRequestID draws a UUID: a retry of a request with the same one is the same request.
func newRequestID() (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

// describe returns an error with its reason and metadata, which programs read; the text is for people.
func describe(err error, header metadata.MD) error {
	answer := status.Convert(err)
	text := answer.Message()
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			text += "\n  reason " + detail.Reason
			for key, value := range detail.Metadata {
				text += fmt.Sprintf("\n  %s = %s", key, value)
			}
		case *errdetails.RetryInfo:
			text += fmt.Sprintf("\n  try again in %d s", detail.RetryDelay.GetSeconds())
		}
	}
	for _, id := range header.Get("x-request-id") {
		text += "\n  request " + id
	}
	return errors.New(text)
}
