/** Asks about many things, so many at once, and answers in their order. `ask` must not throw. */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  atOnce: number,
  ask: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const underWay: Promise<R>[] = [];
  for (const item of items) {
    underWay.push(ask(item));
    const [first] = underWay;
    if (underWay.length < atOnce || first === undefined) continue;
    yield await first;
    void underWay.shift();
  }
  for (const answer of underWay) yield await answer;
}
