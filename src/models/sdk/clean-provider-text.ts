const TEXT_CHARACTERS_MAX = 300;

/** Keys are looked for in this much, so that one is whole that begins in what is shown. */
const READ_CHARACTERS_MAX = 10_000;

/** What looks like a credential: the providers' prefixes, and long words of letters and digits behind "Bearer". */
const CREDENTIALS = /\b(?:sk|pk|rk|xai|gsk|key|AIza|ya29)[-_.][\w.*-]{4,}|\bAIza[\w-]{8,}|Bearer\s+\S+/gi;

/** This many characters in a row of what was sent are not a coincidence. */
const ECHO_CHARACTERS = 16;

/**
 * A provider's own words, safe to show: short, without credentials, and without any longer piece of what was sent to
 * it, for some providers quote the input that they refuse.
 *
 * @param sent anything that JSON can print.
 */
export function cleaned(text: string, apiKey: string | undefined, sent: unknown): string {
  // Cut last: half a key would not be known for one.
  const long = text.slice(0, READ_CHARACTERS_MAX).replace(/\s+/g, ' ').trim();
  const withoutKey = apiKey === undefined || apiKey === '' ? long : long.replaceAll(apiKey, '[key]');
  const short = withoutKey.replace(CREDENTIALS, '[key]').slice(0, TEXT_CHARACTERS_MAX);
  return withoutEchoes(short, textsIn(sent));
}

function withoutEchoes(text: string, sent: string): string {
  let kept = '';
  for (let at = 0; at < text.length;) {
    let length = ECHO_CHARACTERS;
    if (at + length > text.length || !sent.includes(text.slice(at, at + length))) {
      kept += text[at];
      at += 1;
      continue;
    }
    while (at + length < text.length && sent.includes(text.slice(at, at + length + 1))) length += 1;
    kept += '…';
    at += length;
  }
  return kept;
}

/** All texts of a value, with spaces as {@link cleaned} has them. */
function textsIn(value: unknown): string {
  const texts: string[] = [];
  JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'string') texts.push(item.replace(/\s+/g, ' '));
    return item;
  });
  return texts.join('\n');
}
