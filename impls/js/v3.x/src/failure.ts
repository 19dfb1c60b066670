/** Failures, classified by whose fault they are. */

/** Classes with the status that a process of each ends with (contract, "Exit status"). */
export const STATUS = {
  internal: 1,
  usage: 2,
  environment: 3,
  connect: 4,
  transfer: 5,
  unsupported: 127,
  interrupted: 130,
} as const;

export type Class = keyof typeof STATUS;

/** What a node was doing when it failed. */
export type Phase =
  "configuration" | "coordination" | "listen" | "dial" | "upload" | "download" | "latency" | "report";

const DEFAULT_CLASS: Record<Phase, Class> = {
  configuration: "usage",
  coordination: "environment",
  listen: "environment",
  dial: "connect",
  upload: "transfer",
  download: "transfer",
  latency: "transfer",
  report: "environment",
};

/** The peer does not speak the protocol: connected and not negotiated, whatever was to be measured. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** What ends a run with a status other than 0. The message is one line. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly class: Class;
  readonly phase: Phase;

  constructor(cls: Class, phase: Phase, message: string) {
    super(oneLine(message));
    this.class = cls;
    this.phase = phase;
  }

  /** A failure stays what it is; any other error, but a refusal, takes the class of the phase it came out of. */
  static from(phase: Phase, error: unknown): Failure {
    if (error instanceof Failure) return error;
    const cls = error instanceof Refused ? "connect" : DEFAULT_CLASS[phase];
    return new Failure(cls, phase, chain(error));
  }

  /** The last line on stderr of a process that failed: a YAML flow mapping. */
  lastLine(): string {
    return `failure: {class: ${this.class}, message: ${JSON.stringify(this.message)}}`;
  }
}

/** An error's message and those of its causes, `: ` between them; what only repeats is left out. */
export function chain(error: unknown): string {
  const parts: string[] = [];
  const tell = (error: unknown): void => {
    const text = oneLine(error instanceof Error ? error.message || error.name : String(error));
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    if (error instanceof AggregateError) error.errors.forEach(tell);
    if (error instanceof Error && error.cause !== undefined) tell(error.cause);
  };
  tell(error);
  return parts.join(": ");
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, "; ").trim();
}
