/** Reads a URL that outbound requests may have; `undefined` when it is not one. The address is checked when dialled. */
export function parseOutboundUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.username === '' && url.password === '' ? url : undefined;
}
