// Turn an audio file into an image, and report on the way.
//
//     create_image AUDIO IMAGE [TARGET] [SERVICE_CONFIG]
//
// TARGET is the gRPC address of a gateway, 127.0.0.1:50050 by default; SERVICE_CONFIG is protos/service_config.json by
// default. CMakeLists.txt says how to build it.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include "chladni/gateway/v1/image_service.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace gateway = chladni::gateway::v1;

namespace {

constexpr auto kConnectSeconds = std::chrono::seconds(10);
constexpr auto kCreationSeconds = std::chrono::seconds(120);
constexpr int kKeepaliveMilliseconds = 30000;
// gRPC repeats no request that is larger than it keeps: an audio file may be 10 MiB.
constexpr int kRetryBufferBytes = 11 * 1024 * 1024;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

// A random UUID: a retry of a request with the same one is the same request.
std::string NewRequestId() {
  std::random_device random;
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%08x%04x", random(), random() & 0xffffu, random() & 0xfffu,
                (random() & 0x3fffu) | 0x8000u, random(), random() & 0xffffu);
  return text;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& target, const std::string& service_config) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(service_config);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kRetryBufferBytes);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

// Programs read the reason and its metadata; the text is for people.
void PrintError(const grpc::Status& status, const std::string& request_id) {
  std::cerr << "Error: " << status.error_message() << "\n";
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) {
      google::rpc::ErrorInfo info;
      google::rpc::RetryInfo retry;
      if (detail.UnpackTo(&info)) {
        std::cerr << "  reason " << info.reason() << "\n";
        for (const auto& [key, value] : info.metadata()) std::cerr << "  " << key << " = " << value << "\n";
      } else if (detail.UnpackTo(&retry)) {
        std::cerr << "  try again in " << retry.retry_delay().seconds() << " s\n";
      }
    }
  }
  std::cerr << "  request " << request_id << "\n";
}

int Run(const std::string& audio_path, const std::string& image_path, const std::string& target,
        const std::string& service_config_path) {
  gateway::CreateImageRequest request;
  request.mutable_audio()->set_content(ReadFile(audio_path));
  request.mutable_audio()->set_display_name(audio_path.substr(audio_path.find_last_of('/') + 1));
  request.mutable_options()->set_seed(7);
  request.set_request_id(NewRequestId());

  const auto channel = Connect(target, ReadFile(service_config_path));
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectSeconds)) {
    std::cerr << "Error: no healthy server answers at " << target << "\n";
    return 1;
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCreationSeconds);
  const auto reader = gateway::ImageService::NewStub(channel)->CreateImage(&context, request);

  bool written = false;
  gateway::CreateImageResponse response;
  while (reader->Read(&response)) {
    switch (response.event_case()) {
      case gateway::CreateImageResponse::kAccepted:
        std::cout << "image " << response.accepted().operation_id() << ", seed " << response.accepted().seed() << "\n";
        break;
      case gateway::CreateImageResponse::kProgress:
        std::cout << "step " << response.progress().step() << " of " << response.progress().total_steps() << "\n";
        break;
      case gateway::CreateImageResponse::kCreated:
        // A file above 3 MiB is not in the event: DownloadImage has it.
        if (!response.created().has_file()) throw std::runtime_error("the image is larger than 3 MiB");
        WriteFile(image_path, response.created().file().content());
        written = true;
        std::cout << image_path << ", made by " << response.created().image().provenance().model() << "\n";
        break;
      default:  // Clients ignore events that they do not know.
        break;
    }
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) {
    // Only if there was an answer is there metadata.
    const auto& metadata = context.GetServerInitialMetadata();
    const auto found = metadata.find("x-request-id");
    PrintError(status, found == metadata.end() ? "unknown" : std::string(found->second.data(), found->second.size()));
    return 1;
  }
  return written ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3 || count > 5) {
    std::cerr << "Usage: create_image AUDIO IMAGE [TARGET] [SERVICE_CONFIG]\n";
    return 2;
  }
  try {
    return Run(arguments[1], arguments[2], count > 3 ? arguments[3] : "127.0.0.1:50050",
               count > 4 ? arguments[4] : "protos/service_config.json");
  } catch (const std::exception& error) {
    std::cerr << "Error: " << error.what() << "\n";
    return 1;
  }
}
