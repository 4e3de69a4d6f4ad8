// Tells when the end of a list comes near, so that more can be read.

import { useEffect, useRef } from "preact/hooks";

export function useEnd(onNear: () => void) {
  const latest = useRef(onNear);
  latest.current = onNear;
  const observer = useRef<IntersectionObserver | null>(null);
  useEffect(() => () => observer.current?.disconnect(), []);
  return (element: Element | null) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) latest.current();
      },
      { rootMargin: "300px" },
    );
    observer.current.observe(element);
  };
}
