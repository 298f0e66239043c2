/**
 * Turn an audio file into an image, and report on the way.
 *
 *     export GOOGLEAPIS=/path/to/googleapis      # holds google/rpc/*.proto, which describe the details of errors
 *     npm install && npm run generate && npm run check
 *     npm run create-image -- AUDIO IMAGE [TARGET] [SERVICE_CONFIG]
 *
 * TARGET is the gRPC address of a gateway, 127.0.0.1:50050 by default; SERVICE_CONFIG is protos/service_config.json of
 * this repository by default.
 */

import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

import { CreateImageRequest, type CreateImageResponse } from "./generated/chladni/gateway/v1/creation.js";
import { ImageServiceClient } from "./generated/chladni/gateway/v1/image_service.js";
import { ErrorInfo, RetryInfo } from "./generated/google/rpc/error_details.js";
import { Status } from "./generated/google/rpc/status.js";

const CREATION_MILLISECONDS = 120_000;
const KEEPALIVE_MILLISECONDS = 30_000;
// gRPC repeats no request that is larger than it keeps: an audio file may be 10 MiB.
const RETRY_BUFFER_BYTES = 11 * 1024 * 1024;
const SERVICE_CONFIG = fileURLToPath(new URL("../../protos/service_config.json", import.meta.url));

function printProgress({ event }: CreateImageResponse, imagePath: string): boolean {
  switch (event?.$case) {
    case "accepted":
      console.log(`image ${event.value.operationId}, seed ${event.value.seed}`);
      return false;
    case "progress":
      console.log(`step ${event.value.step} of ${event.value.totalSteps}`);
      return false;
    case "created":
      // A file above 3 MiB is not in the event: DownloadImage has it.
      if (!event.value.file) throw new Error("the image is larger than 3 MiB");
      writeFileSync(imagePath, event.value.file.content);
      console.log(`${imagePath}, made by ${event.value.image?.provenance?.model}`);
      return true;
    default: // Clients ignore events that they do not know.
      return false;
  }
}

// Programs read the reason and its metadata; the text is for people.
function printError(error: ServiceError, requestId: string): void {
  console.error(`Error: ${error.details}`);
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const details = bytes instanceof Buffer ? Status.decode(bytes).details : [];
  for (const detail of details) {
    if (detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) {
      const info = ErrorInfo.decode(detail.value);
      console.error(`  reason ${info.reason}`);
      for (const [key, value] of Object.entries(info.metadata)) console.error(`  ${key} = ${value}`);
    } else if (detail.typeUrl.endsWith("/google.rpc.RetryInfo")) {
      console.error(`  try again in ${RetryInfo.decode(detail.value).retryDelay?.seconds ?? 0n} s`);
    }
  }
  console.error(`  request ${requestId}`);
}

async function main(): Promise<number> {
  const [audioPath, imagePath, target = "127.0.0.1:50050", config = SERVICE_CONFIG] = process.argv.slice(2);
  if (!audioPath || !imagePath) {
    console.error("Usage: create_image AUDIO IMAGE [TARGET] [SERVICE_CONFIG]");
    return 2;
  }
  const request = CreateImageRequest.fromPartial({
    audio: { source: { $case: "content", value: readFileSync(audioPath) }, displayName: basename(audioPath) },
    options: { seed: 7n },
    // A retry of a request with the same identifier is the same request.
    requestId: randomUUID(),
  });
  const client = new ImageServiceClient(target, credentials.createInsecure(), {
    "grpc.service_config": readFileSync(config, "utf8"),
    "grpc.keepalive_time_ms": KEEPALIVE_MILLISECONDS,
    "grpc-node.per_rpc_retry_buffer_size": RETRY_BUFFER_BYTES,
  });
  const call = client.createImage(request, new Metadata(), { deadline: Date.now() + CREATION_MILLISECONDS });
  let requestId = "unknown";
  call.on("metadata", (metadata) => (requestId = String(metadata.get("x-request-id")[0] ?? requestId)));
  try {
    let written = false;
    for await (const response of call) written = printProgress(response, imagePath) || written;
    return written ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Error && "metadata" in error)) throw error;
    printError(error as ServiceError, requestId);
    return 1;
  } finally {
    client.close();
  }
}

process.exitCode = await main();
