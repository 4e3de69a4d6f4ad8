// A text with its #tags and @names shown; a name that the page knows leads to its profile.

import { userNamed } from "../model/store";
import { paths } from "../router/places";

const MARKS = /([#@][\p{L}\p{N}_\p{M}]+)/u;

export function Rich({ text }: { text: string }) {
  return (
    <>
      {text.split(MARKS).map((part, at) => {
        if (at % 2 === 0) return part;
        const user = part.startsWith("@") ? userNamed(part.slice(1)) : undefined;
        return user ? (
          <a key={at} class="mention" href={paths.profile(user.id)}>
            {part}
          </a>
        ) : (
          <span key={at} class="mention">
            {part}
          </span>
        );
      })}
    </>
  );
}
