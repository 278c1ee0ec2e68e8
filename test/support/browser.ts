/** As much of a browser as signing in needs: cookies for each origin, redirects, forms. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** Asks for a page and follows redirects until there is one. */
  async open(url: string | URL, form?: Readonly<Record<string, string>>): Promise<Page> {
    let next = new URL(url);
    let body = form === undefined ? undefined : new URLSearchParams(form);
    for (let hops = 0; hops < 20; hops += 1) {
      const response = await fetch(next, {
        method: body === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        headers: { cookie: this.#cookieHeader(next.origin) },
        ...(body !== undefined && { body }),
      });
      this.#keep(next.origin, response.headers.getSetCookie());
      const location = response.headers.get('location');
      if (location === null) return { url: next, status: response.status, html: await response.text() };
      await response.body?.cancel();
      next = new URL(location, next);
      body = undefined;
    }
    throw new Error(`${next.href} redirects for ever`);
  }

  cookie(origin: string, name: string): string | undefined {
    return this.#cookies.get(origin)?.get(name);
  }

  #cookieHeader(origin: string): string {
    return [...(this.#cookies.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #keep(origin: string, setCookies: readonly string[]): void {
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    for (const text of setCookies) {
      const [pair = ''] = text.split(';');
      const equals = pair.indexOf('=');
      const value = pair.slice(equals + 1);
      if (value === '') jar.delete(pair.slice(0, equals));
      else jar.set(pair.slice(0, equals), value);
    }
  }
}

export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly html: string;
}
