/** What is said on stderr, for people. Nothing but the document goes to stdout. */

export interface Log {
  info: (message: string) => void;
  /** Only where DEBUG asks for it. */
  debug: (message: string) => void;
}

export function logTo(debug: boolean): Log {
  const write = (message: string) => void process.stderr.write(`${message}\n`);
  return { info: write, debug: debug ? write : () => {} };
}
