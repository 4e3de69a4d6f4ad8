// The text of a publish that isn't sent yet, in IndexedDB: a page that was closed or has crashed gives it back.

const NAME = "dousheng";
const STORE = "drafts";
const KEY = "publish";

export interface Draft {
  title: string;
  /** Whose it is. Nothing: a guest's. */
  userId?: number | undefined;
}

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  try {
    const opened = await database();
    return await new Promise((resolve, reject) => {
      const request = work(opened.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } catch {
    // A browser that keeps nothing.
    return undefined;
  }
}

export const drafts = {
  read: (): Promise<Draft | undefined> => within("readonly", (store) => store.get(KEY) as IDBRequest<Draft | undefined>),
  write: (draft: Draft): Promise<unknown> => within("readwrite", (store) => store.put(draft, KEY)),
  clear: (): Promise<unknown> => within("readwrite", (store) => store.delete(KEY)),
};
