import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import dev.chladni.gateway.v1.CreateImageRequest;
import dev.chladni.gateway.v1.CreateImageResponse;
import dev.chladni.gateway.v1.ImageServiceGrpc;
import dev.chladni.generation.v1.GenerationOptions;
import dev.chladni.media.v1.AudioClip;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Turns an audio file into an image, and reports on the way.
 *
 * <pre>java CreateImage AUDIO IMAGE [TARGET] [SERVICE_CONFIG]</pre>
 *
 * TARGET is the gRPC address of a gateway, 127.0.0.1:50050 by default; SERVICE_CONFIG is protos/service_config.json by
 * default. Needs grpc-netty, grpc-protobuf, grpc-stub and gson, and stubs of protos/chladni and of google/rpc/*.proto of
 * https://github.com/googleapis/googleapis, which describe the details of errors. clients/check_examples.py builds it.
 */
public final class CreateImage {
  private static final int CREATION_SECONDS = 120;
  private static final int KEEPALIVE_SECONDS = 30;
  // gRPC repeats no request that is larger than it keeps: an audio file may be 10 MiB.
  private static final long RETRY_BUFFER_BYTES = 11 * 1024 * 1024;
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
  private static final Metadata.Key<String> REQUEST_ID =
      Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);

  private CreateImage() {}

  public static void main(String[] arguments) throws Exception {
    if (arguments.length < 2 || arguments.length > 4) {
      System.err.println("Usage: CreateImage AUDIO IMAGE [TARGET] [SERVICE_CONFIG]");
      System.exit(2);
    }
    String target = arguments.length > 2 ? arguments[2] : "127.0.0.1:50050";
    ManagedChannel channel =
        NettyChannelBuilder.forTarget(target)
            .usePlaintext()
            .defaultServiceConfig(
                readServiceConfig(arguments.length > 3 ? arguments[3] : "protos/service_config.json"))
            .enableRetry()
            .perRpcBufferLimit(RETRY_BUFFER_BYTES)
            .retryBufferSize(RETRY_BUFFER_BYTES)
            .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
            .build();
    boolean isWritten = false;
    try {
      isWritten = createImage(channel, Path.of(arguments[0]), Path.of(arguments[1]));
    } catch (IOException error) {
      System.err.println("Error: " + error.getMessage());
    } finally {
      channel.shutdownNow();
    }
    System.exit(isWritten ? 0 : 1);
  }

  @SuppressWarnings("unchecked")
  private static Map<String, ?> readServiceConfig(String path) throws IOException {
    try (Reader reader = Files.newBufferedReader(Path.of(path))) {
      return new Gson().fromJson(reader, Map.class);
    }
  }

  private static boolean createImage(ManagedChannel channel, Path audio, Path image) throws IOException {
    CreateImageRequest request =
        CreateImageRequest.newBuilder()
            .setAudio(
                AudioClip.newBuilder()
                    .setContent(ByteString.copyFrom(Files.readAllBytes(audio)))
                    .setDisplayName(audio.getFileName().toString()))
            .setOptions(GenerationOptions.newBuilder().setSeed(7))
            // A retry of a request with the same identifier is the same request.
            .setRequestId(UUID.randomUUID().toString())
            .build();
    AtomicReference<Metadata> headers = new AtomicReference<>();
    AtomicReference<Metadata> trailers = new AtomicReference<>();
    ImageServiceGrpc.ImageServiceBlockingStub stub =
        ImageServiceGrpc.newBlockingStub(channel)
            .withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, trailers))
            .withDeadlineAfter(CREATION_SECONDS, TimeUnit.SECONDS);
    boolean isWritten = false;
    try {
      Iterator<CreateImageResponse> responses = stub.createImage(request);
      while (responses.hasNext()) {
        isWritten = print(responses.next(), image) || isWritten;
      }
    } catch (StatusRuntimeException error) {
      printError(error, headers.get());
      return false;
    }
    return isWritten;
  }

  private static boolean print(CreateImageResponse response, Path image) throws IOException {
    switch (response.getEventCase()) {
      case ACCEPTED:
        System.out.printf(
            "image %s, seed %d%n", response.getAccepted().getOperationId(), response.getAccepted().getSeed());
        return false;
      case PROGRESS:
        System.out.printf(
            "step %d of %d%n", response.getProgress().getStep(), response.getProgress().getTotalSteps());
        return false;
      case CREATED:
        // A file above 3 MiB is not in the event: DownloadImage has it.
        if (!response.getCreated().hasFile()) {
          throw new IOException("the image is larger than 3 MiB");
        }
        Files.write(image, response.getCreated().getFile().getContent().toByteArray());
        System.out.printf(
            "%s, made by %s%n", image, response.getCreated().getImage().getProvenance().getModel());
        return true;
      default: // Clients ignore events that they do not know.
        return false;
    }
  }

  /** Programs read the reason and its metadata; the text is for people. */
  private static void printError(StatusRuntimeException error, Metadata headers)
      throws InvalidProtocolBufferException {
    System.err.println("Error: " + error.getStatus().getDescription());
    Metadata trailers = error.getTrailers();
    byte[] details = trailers == null ? null : trailers.get(DETAILS);
    if (details != null) {
      for (Any detail : Status.parseFrom(details).getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          System.err.println("  reason " + info.getReason());
          info.getMetadataMap().forEach((key, value) -> System.err.println("  " + key + " = " + value));
        } else if (detail.is(RetryInfo.class)) {
          long seconds = detail.unpack(RetryInfo.class).getRetryDelay().getSeconds();
          System.err.println("  try again in " + seconds + " s");
        }
      }
    }
    System.err.println("  request " + (headers == null ? "unknown" : headers.get(REQUEST_ID)));
  }
}
