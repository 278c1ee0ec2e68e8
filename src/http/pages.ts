/** The pages are forms and text without a script: they work everywhere and their policy can forbid everything else. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const STYLE = `
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
  main { max-width: 36rem; margin: 15vh auto 0; padding: 0 1.5rem }
  button { font: inherit; padding: .5rem 1.5rem }
  code { font-size: .9em }`;

/** Asks for a click: mail scanners and link previews follow links, but press no buttons. */
export function loginPage(token: string): string {
  return page(
    'Sign in to Workhook',
    `<p>This link signs you in once, in this browser.</p>
    <form method="post" action="/login"><input type="hidden" name="token" value="${escapeHtml(token)}">
    <button autofocus>Sign in</button></form>`,
  );
}

/** For a link that was used, has expired or was cut short; it tells none from another. */
export function loginFailedPage(): string {
  return page(
    'This link does not work any more',
    '<p>A login link works once and for a short time. Whoever runs this server gets a new one with <code>workhook login</code>.</p>',
  );
}

/** For a sign-in at the identity provider that came to nothing. */
export function identityFailedPage(reason: string): string {
  return page('You are not signed in', `<p>${escapeHtml(reason)}</p><p><a href="/login/oidc">Try again</a></p>`);
}

/** What somebody sees who opens the server's address in a browser. */
export function welcomePage(identityProvider: boolean): string {
  const signIn = identityProvider ? `<p><a href="/login/oidc">Sign in</a></p>` : '';
  return page(
    'Workhook',
    `${signIn}<p>This is a Workhook server. It takes POSTs at <code>/api/v1/webhooks/…</code> and runs the workers behind them.</p>
    <p>To sign in${identityProvider ? ' without the identity provider' : ''}, open the login link that the server printed when it first started, or ask whoever runs it for one.</p>`,
  );
}

/** The same for somebody who is signed in. */
export function signedInPage(): string {
  return page(
    'Workhook',
    '<p>You are signed in.</p><form method="post" action="/logout"><button>Sign out</button></form>',
  );
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${title}</title><style>${STYLE}</style></head>
<body><main><h1>${title}</h1>
    ${content}
</main></body></html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
