/** What a connection is made of. */

export const TRANSPORTS = [
  "tcp",
  "ws",
  "quic-v1",
  "webtransport",
  "webrtc-direct",
  "https",
  "quic",
  "raw-tcp",
  "raw-tls",
  "raw-noise",
  "raw-quic",
] as const;
export const SECURE_CHANNELS = ["noise", "tls"] as const;
export const MUXERS = ["yamux", "mplex"] as const;
export const PROFILES = ["stock", "tuned"] as const;

export type Transport = (typeof TRANSPORTS)[number];
export type SecureChannel = (typeof SECURE_CHANNELS)[number];
export type Muxer = (typeof MUXERS)[number];
export type Profile = (typeof PROFILES)[number];

/** One combination that can be measured; secure channel and muxer exactly where the transport has neither. */
export interface Stack {
  transport: Transport;
  secureChannel?: SecureChannel;
  muxer?: Muxer;
  profile: Profile;
}

/** Whether the transport brings neither security nor multiplexing. */
export function isLayered(transport: Transport): boolean {
  return transport === "tcp" || transport === "ws";
}

/** `tcp, noise, yamux`; a profile other than stock stands at the end. */
export function describe(stack: Stack): string {
  const parts = [stack.transport, stack.secureChannel, stack.muxer];
  if (stack.profile !== "stock") parts.push(stack.profile as never);
  return parts.filter((part) => part !== undefined).join(", ");
}

/** Why this node cannot measure `stack` in that role; undefined where it can. */
export function unsupported(stack: Stack, role: "dialer" | "listener"): string | undefined {
  if (stack.profile !== "stock") return "js-libp2p is measured as it ships, in the profile stock alone";
  if (stack.transport === "tcp") return undefined;
  if (stack.transport === "webtransport" && role === "dialer") return undefined;
  return "it speaks tcp, and webtransport as dialer alone";
}
