// Makes idempotency keys: a retried request sends the same key, so it takes effect once. `crypto.randomUUID` would do, but browsers keep it
// from pages that come by plain http from another machine, as on a phone that opens the page of a computer beside it.

export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
