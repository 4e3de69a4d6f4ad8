// A text with its #tags and @names shown; a name that the page knows leads to its profile.

import type { User } from "../api/calls";
import { userNamed } from "../model/store";
import { paths } from "../router/routes";

const WORD = "[\\p{L}\\p{N}_\\p{M}]+";
/** A tag, or what may be a name: up to four words. */
const MARKS = new RegExp(`(#${WORD}|@${WORD}(?: ${WORD}){0,3})`, "u");

/** How long the name at the beginning of these words is, and whose; of a name that isn't known, the first word. */
function nameIn(mark: string): { length: number; user?: User } {
  for (let end = mark.length; end > 0; end = mark.lastIndexOf(" ", end - 1)) {
    const user = userNamed(mark.slice(1, end));
    if (user) return { length: end, user };
  }
  return { length: mark.split(" ", 1)[0]?.length ?? 0 };
}

export function Rich({ text }: { text: string }) {
  return (
    <>
      {text.split(MARKS).map((part, at) => {
        if (at % 2 === 0) return part;
        if (part.startsWith("#")) return <Mention key={at} text={part} />;
        const { length, user } = nameIn(part);
        return [<Mention key={at} text={part.slice(0, length)} user={user} />, part.slice(length)];
      })}
    </>
  );
}

function Mention({ text, user }: { text: string; user?: User | undefined }) {
  if (!user) return <span class="mention">{text}</span>;
  return (
    <a class="mention" href={paths.profile(user.id)}>
      {text}
    </a>
  );
}
