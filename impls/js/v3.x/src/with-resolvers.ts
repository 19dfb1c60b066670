// js-libp2p 3 calls Promise.withResolvers, which Node has from version 22 on. Imported before all else.

if (Promise.withResolvers === undefined) {
  Promise.withResolvers = <T>(): PromiseWithResolvers<T> => {
    let resolve!: (value: T | PromiseLike<T>) => void;
    let reject!: (reason?: unknown) => void;
    const promise = new Promise<T>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    return { promise, resolve, reject };
  };
}
