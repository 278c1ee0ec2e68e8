export interface WelcomeOptions {
  readonly url: string;
  readonly loginUrl: string | undefined;
  readonly curl: string | undefined;
}

/** What a person reads when the gateway is ready. The only place that prints secrets, and only on standard output. */
export function welcomeText({ url, loginUrl, curl }: WelcomeOptions): string {
  const lines = [``, `Workhook is ready: ${url}`];
  if (loginUrl !== undefined) lines.push(``, `Sign in (once, within 15 minutes):`, `  ${loginUrl}`);
  if (curl !== undefined) lines.push(``, `Try the example webhook:`, ``, curl);
  return `${lines.join('\n')}\n`;
}
