/** Who a node is: a libp2p private key, protobuf. */

import { readFile, writeFile } from "node:fs/promises";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { chain, Failure } from "./failure.ts";

/** The key in `file`, made where there is none (mode 0600); a fresh Ed25519 key without a file. */
export async function readIdentity(file: string | undefined): Promise<PrivateKey> {
  if (file === undefined) return generateKeyPair("Ed25519");
  try {
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (bytes !== undefined) return privateKeyFromProtobuf(bytes);
    const key = await generateKeyPair("Ed25519");
    await writeFile(file, privateKeyToProtobuf(key), { mode: 0o600, flag: "wx" });
    return key;
  } catch (error) {
    const message = `PERF_IDENTITY: ${file} cannot be used as a key file: ${chain(error)}`;
    throw new Failure("environment", "configuration", message);
  }
}
