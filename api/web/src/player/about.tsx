// Who made a video, when, and what they say of it.

import { useEffect, useRef, useState } from "preact/hooks";

import type { Video } from "../api/calls";
import { Rich } from "../looks/rich";
import { paths } from "../router/routes";
import { ago, t } from "../words";

export function About({ video }: { video: Video }) {
  const title = useRef<HTMLParagraphElement>(null);
  const [isOpen, setIsOpen] = useState(false);
  const [isLong, setIsLong] = useState(false);
  useEffect(() => {
    const element = title.current;
    if (element) setIsLong(element.scrollHeight > element.clientHeight + 1);
  }, [video.title]);
  return (
    <div class="about">
      <p class="by">
        <a href={paths.profile(video.author.id)} class="author" data-testid="author">
          @{video.author.name}
        </a>
        <time dateTime={new Date(video.create_time).toISOString()}>{ago(video.create_time)}</time>
      </p>
      <p ref={title} class={isOpen ? "title open" : "title"} data-testid="video-title">
        <Rich text={video.title} />
      </p>
      {isLong && (
        <button type="button" class="unfold" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
          {t(isOpen ? "showLess" : "showMore")}
        </button>
      )}
    </div>
  );
}
