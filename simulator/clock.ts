/**
 * The simulator's clock: real time plus what `POST /simulator/clock` added. Postings, emails on their way, the lives of
 * tokens and keys, and stalled answers all hang on it, so a test can pass a day in a millisecond.
 */
interface Task {
  readonly dueAt: number;
  readonly run: () => void;
}

/** setTimeout takes no more than this; longer waits are taken in several steps. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class SimulatorClock {
  #aheadMs = 0;
  #tasks: Task[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** While a task runs it is the moment it was due, however late it really runs: what it records and plans follows from that. */
  #taskMoment: number | undefined;
  #stopped = false;

  now(): number {
    return this.#taskMoment ?? Date.now() + this.#aheadMs;
  }

  /** Returns a function that calls the task off. */
  after(delayMs: number, run: () => void): () => void {
    const task: Task = { dueAt: this.now() + delayMs, run };
    const later = this.#tasks.findIndex((other) => other.dueAt > task.dueAt);
    this.#tasks.splice(later === -1 ? this.#tasks.length : later, 0, task);
    this.#arm();
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== task);
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Everything that becomes due on the way happens, in its order, before this returns. */
  advance(ms: number): void {
    this.#aheadMs += ms;
    this.runDue();
  }

  runDue(): void {
    if (this.#taskMoment !== undefined) return;
    for (let next = this.#nextDue(); next !== undefined; next = this.#nextDue()) {
      this.#taskMoment = next.dueAt;
      try {
        next.run();
      } finally {
        this.#taskMoment = undefined;
      }
    }
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#tasks = [];
  }

  #nextDue(): Task | undefined {
    const [first] = this.#tasks;
    return first !== undefined && first.dueAt <= this.now() ? this.#tasks.shift() : undefined;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const [first] = this.#tasks;
    if (first === undefined || this.#stopped) return;
    const wait = Math.min(Math.max(first.dueAt - (Date.now() + this.#aheadMs), 0), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.runDue();
    }, wait);
  }
}
