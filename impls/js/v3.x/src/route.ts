/** Which of this machine's addresses a peer can use. */

import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/**
 * The address to publish for a listener bound to `bound`, given the addresses that Redis's name has: the bound one if it
 * is concrete, else the one that the route to Redis leaves from, so that loopback is published only where Redis is on
 * loopback. A route of the other family says only whether the machine is meant or the network.
 */
export async function publishedIp(bound: string, redis: string[]): Promise<string | undefined> {
  if (!isUnspecified(bound)) return bound;
  const sources = (await Promise.all(redis.map(sourceAddress))).filter((ip) => ip !== undefined);
  const ofFamily = (ip: string) => isIPv6(ip) === isIPv6(bound);
  const found = sources.find(ofFamily);
  const [first] = sources;
  if (found !== undefined || first === undefined) return found;
  return localIps().find((ip) => ofFamily(ip) && isLoopback(ip) === isLoopback(first));
}

export function isUnspecified(ip: string): boolean {
  return ip === "0.0.0.0" || ip === "::";
}

function isLoopback(ip: string): boolean {
  return ip === "::1" || ip.startsWith("127.");
}

/** The source address of packets to `ip`. Connecting a UDP socket asks the routing table and sends nothing. */
async function sourceAddress(ip: string): Promise<string | undefined> {
  const socket = createSocket(isIPv6(ip) ? "udp6" : "udp4");
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.on("error", reject);
      socket.connect(9, ip, () => resolve(socket.address().address));
    });
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** This machine's addresses; IPv6 link-local ones mean nothing without their zone. */
function localIps(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.map(({ address }) => address).filter((ip) => !ip.toLowerCase().startsWith("fe80:"));
}
