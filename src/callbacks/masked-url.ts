/**
 * A URL for those who may not change it: the values of its query, in which receivers like to carry a token, are `***`,
 * and so is a part of the query without a name. What stands behind `#` is never sent and left out.
 *
 * @param href an absolute URL.
 */
export function maskedUrl(href: string): string {
  const url = new URL(href);
  url.hash = '';
  url.username = '';
  url.password = '';
  if (url.search === '') return url.href;
  const parts = url.search.slice(1).split('&').map(maskedPart);
  url.search = parts.join('&');
  return url.href;
}

function maskedPart(part: string): string {
  const end = part.indexOf('=');
  return end < 1 ? '***' : `${part.slice(0, end)}=***`;
}
