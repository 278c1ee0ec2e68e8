export interface WelcomeOptions {
  readonly url: string;
  readonly loginUrl: string | undefined;
  readonly curl: string | undefined;
  /** Whether the URL is plain HTTP, which is refused in production. */
  readonly needsHttps: boolean;
}

/** What a person reads when the gateway is ready. The only place that prints secrets, and only on standard output. */
export function welcomeText({ url, loginUrl, curl, needsHttps }: WelcomeOptions): string {
  const lines = [``, `Workhook is ready: ${url}`];
  if (needsHttps) {
    lines.push(
      ``,
      `In production plain HTTP is answered with 403. What stands below works over HTTPS: set TLS_CERT_FILE and`,
      `TLS_KEY_FILE, or PUBLIC_URL and TRUSTED_PROXIES for a proxy in front.`,
    );
  }
  if (loginUrl !== undefined) lines.push(``, `Sign in (once, within 15 minutes):`, `  ${loginUrl}`);
  if (curl !== undefined) lines.push(``, `Try the example webhook:`, ``, curl);
  return `${lines.join('\n')}\n`;
}
