// The messages between the one who is logged in and another. New ones are asked for while the page is seen, less often while none come.

import { signal } from "@preact/signals";

import { api, type Message } from "../api/calls";
import { ApiError, NO_SUCH_USER } from "../api/errors";
import { newKey } from "../api/key";
import { online } from "./connection";
import { isHidden } from "./player";
import { session } from "./session";

const FIRST_WAIT_MS = 1500;
const LONGEST_WAIT_MS = 20_000;
const SLOWER = 1.5;

/** A message that isn't confirmed yet. */
export interface Pending {
  key: string;
  content: string;
  failed: boolean;
}

export class Chat {
  readonly messages = signal<Message[]>([]);
  readonly pending = signal<Pending[]>([]);
  readonly text = signal("");
  readonly isLoaded = signal(false);
  readonly failure = signal<ApiError | null>(null);
  /** Where earlier ones are; 0: nowhere. */
  readonly before = signal(0);
  private wait = FIRST_WAIT_MS;
  private timer: number | undefined;
  private isOpen = false;
  private isAsking = false;

  constructor(readonly userId: number) {}

  /** Asks again and again until the returned function is called. */
  watch(): () => void {
    this.isOpen = true;
    void this.ask();
    const wake = () => {
      if (!document.hidden) this.soon();
    };
    document.addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
    return () => {
      this.isOpen = false;
      clearTimeout(this.timer);
      document.removeEventListener("visibilitychange", wake);
      removeEventListener("online", wake);
    };
  }

  /** Asks now. */
  soon(): void {
    this.wait = FIRST_WAIT_MS;
    void this.ask();
  }

  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    if (this.isAsking || !this.isOpen) return;
    this.isAsking = true;
    let isBehind = false;
    if (!isHidden.peek() && online.peek() && session.peek()) isBehind = await this.read();
    this.isAsking = false;
    if (!this.isOpen) return;
    this.timer = window.setTimeout(() => void this.ask(), isBehind ? 0 : this.wait);
    this.wait = Math.min(this.wait * SLOWER, LONGEST_WAIT_MS);
  }

  /** Reads what is new; whether there is more of it. */
  private async read(): Promise<boolean> {
    const newest = this.messages.peek().at(-1)?.create_time;
    try {
      const page = await api.chat(this.userId, newest);
      this.failure.value = null;
      this.isLoaded.value = true;
      if (newest === undefined) this.before.value = page.has_more ? page.next_before : 0;
      if (page.message_list.length) {
        this.add(page.message_list);
        this.wait = FIRST_WAIT_MS;
      }
      return newest !== undefined && page.has_more;
    } catch (error) {
      if (!(error instanceof ApiError)) return false;
      if (!this.isLoaded.peek()) this.failure.value = error;
      // Nobody is there any more to hear from.
      if (error.code === NO_SUCH_USER) this.isOpen = false;
      return false;
    }
  }

  private add(more: Message[]): void {
    const known = new Set(this.messages.peek().map((one) => one.id));
    const all = [...this.messages.peek(), ...more.filter((one) => !known.has(one.id))];
    this.messages.value = all.sort((a, b) => a.create_time - b.create_time);
  }

  async earlier(): Promise<void> {
    const page = await api.chatBefore(this.userId, this.before.peek());
    this.before.value = page.has_more ? page.next_before : 0;
    this.add(page.message_list);
  }

  /** Shown at once; the poll brings it as it is kept. */
  async send(content: string, key = newKey()): Promise<void> {
    const others = this.pending.peek().filter((one) => one.key !== key);
    this.pending.value = [...others, { key, content, failed: false }];
    try {
      await api.message(this.userId, content, key);
      await this.settle();
      this.pending.value = this.pending.peek().filter((one) => one.key !== key);
      this.soon();
    } catch (error) {
      this.pending.value = this.pending.peek().map((one) => (one.key === key ? { ...one, failed: true } : one));
      throw error;
    }
  }

  /** What was sent is read before its shadow goes, so that nothing jumps. */
  private async settle(): Promise<void> {
    const newest = this.messages.peek().at(-1)?.create_time;
    const page = await api.chat(this.userId, newest).catch(() => undefined);
    if (page) this.add(page.message_list);
  }
}

let owner: number | undefined;
const chats = new Map<number, Chat>();

export function chatWith(userId: number): Chat {
  const me = session.peek()?.userId;
  if (owner !== me) chats.clear();
  owner = me;
  const chat = chats.get(userId) ?? new Chat(userId);
  chats.set(userId, chat);
  return chat;
}
