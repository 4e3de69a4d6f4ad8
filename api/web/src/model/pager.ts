// A list that is read page after page, and goes on by itself when the network is back.

import { batch, signal } from "@preact/signals";

import { ApiError, GivenUp, NOT_LOGGED_IN } from "../api/errors";
import { t } from "../words";
import { whenBack } from "./connection";

export interface Page<T> {
  items: T[];
  /** Where the next page goes on; null: this was the last. */
  next: number | null;
}

type Read<T> = (from: number | undefined) => Promise<Page<T>>;

function failureOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  // It needs a login, and nobody wanted to.
  if (error instanceof GivenUp) return new ApiError(t("logInFirst"), NOT_LOGGED_IN);
  return new ApiError(String(error), -1);
}

export class Pager<T> {
  readonly items = signal<T[]>([]);
  readonly phase = signal<"new" | "loading" | "more" | "end">("new");
  readonly failure = signal<ApiError | null>(null);
  protected next: number | undefined;
  /** Where the pages that were read begin. */
  protected starts: (number | undefined)[] = [];
  /** Counts up with each new beginning: what was asked for before it is no longer wanted. */
  private run = 0;

  constructor(
    protected readonly read: Read<T>,
    private readonly idOf: (item: T) => number,
  ) {}

  /** Reads the next page. */
  async more(): Promise<void> {
    if (this.phase.peek() === "loading" || this.phase.peek() === "end") return;
    // After a new beginning that has failed, too.
    await this.step(this.next === undefined);
  }

  /** Reads anew from the beginning; what was there stays until the new page has come. */
  async restart(): Promise<void> {
    this.next = undefined;
    await this.step(true);
  }

  private async step(isFirst: boolean): Promise<void> {
    this.run += 1;
    const run = this.run;
    this.phase.value = "loading";
    this.failure.value = null;
    const from = this.next;
    try {
      const page = await this.read(from);
      if (run !== this.run) return;
      const before = isFirst ? [] : this.items.peek();
      const known = new Set(before.map(this.idOf));
      const after = [...before, ...page.items.filter((item) => !known.has(this.idOf(item)))];
      // At once: nobody is shown the new list at the place of the old one.
      batch(() => {
        if (isFirst) this.beginsAnew(this.items.peek(), after);
        this.items.value = after;
      });
      this.starts = isFirst ? [from] : [...this.starts, from];
      this.next = page.next ?? undefined;
      this.phase.value = page.next === null ? "end" : "more";
    } catch (error) {
      if (run !== this.run) return;
      this.phase.value = "more";
      this.failure.value = failureOf(error);
      if (this.failure.value.isUnreachable) {
        await whenBack();
        if (run === this.run) await this.step(isFirst);
      }
    }
  }

  /** The list is about to be another: where in it one is may change with it. */
  protected beginsAnew(_before: T[], _after: T[]): void {}

  remove(id: number): void {
    this.items.value = this.items.peek().filter((item) => this.idOf(item) !== id);
  }
}
