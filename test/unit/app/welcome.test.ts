import { describe, expect, it } from '@jest/globals';
import { welcomeText } from '../../../src/app/welcome.js';

describe('welcomeText', () => {
  const options = { url: 'http://127.0.0.1:4000', loginUrl: 'http://127.0.0.1:4000/login?token=t', curl: 'curl …' };

  it('has the link and the command', () => {
    const text = welcomeText({ ...options, needsHttps: false });
    expect(text).toContain(options.loginUrl);
    expect(text).toContain(options.curl);
    expect(text).not.toContain('HTTPS');
    expect(welcomeText({ ...options, loginUrl: undefined, curl: undefined, needsHttps: false })).toBe(
      '\nWorkhook is ready: http://127.0.0.1:4000\n',
    );
  });

  it('says that they need HTTPS where plain HTTP is refused', () => {
    expect(welcomeText({ ...options, needsHttps: true })).toContain('TLS_CERT_FILE');
  });
});
