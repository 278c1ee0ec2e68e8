/** One way to write an address as the host of a URL. */
export interface Spelling {
  /** As it stands between `http://` and the port. */
  readonly host: string;
  /** How it is written. */
  readonly form: string;
  /** The IPv4 address that it leads to in the end. */
  readonly address: string;
}

/** IPv4 addresses that no outbound request may reach: one or more of every kind. */
export const FORBIDDEN_IPV4 = [
  '127.0.0.1', // loopback
  '127.0.0.2',
  '127.1.2.3',
  '127.255.255.254',
  '0.0.0.0', // this host
  '0.1.2.3',
  '10.0.0.1', // private
  '10.255.255.254',
  '172.16.0.1',
  '172.31.255.254',
  '192.168.0.1',
  '192.168.255.254',
  '169.254.0.1', // link-local
  '169.254.169.254', // metadata of AWS, Azure, Google Cloud, DigitalOcean, OpenStack, Oracle
  '169.254.170.2', // credentials of AWS tasks
  '169.254.42.42', // metadata of Scaleway
  '100.64.0.1', // carrier-grade NAT
  '100.127.255.254',
  '100.100.100.200', // metadata of Alibaba Cloud
  '192.0.0.192', // metadata of Oracle Cloud
  '168.63.129.16', // the platform of Azure
  '192.0.2.1', // documentation
  '198.51.100.1',
  '203.0.113.1',
  '198.18.0.1', // benchmarks
  '198.19.255.254',
  '192.88.99.1', // 6to4 relays
  '224.0.0.1', // multicast
  '239.255.255.255',
  '240.0.0.1', // reserved
  '255.255.255.255', // broadcast
] as const;

/** IPv6 addresses of the same sort that carry no IPv4 address. */
const FORBIDDEN_IPV6 = [
  '::', // unspecified
  '::1', // loopback
  'fe80::1', // link-local
  'febf::1',
  'fe80::a9fe:a9fe',
  'fec0::1', // site-local
  'fc00::1', // unique local
  'fd00::1',
  'fd00:ec2::254', // metadata of AWS
  'fd20:ce::254', // metadata of Google Cloud
  'fd00:42::42', // metadata of Scaleway
  'ff02::1', // multicast
  'ff0e::1',
  '100::1', // discard
  '2001:db8::1', // documentation
  '3fff::1',
  '2001:2::1', // benchmarks
  '2001:10::1', // ORCHID
  '2001:20::1',
  '5f00::1', // segment routing
  '4000::1', // not handed out
  'e000::1',
] as const;

type Write = (bytes: readonly [number, number, number, number]) => string;

const hex = (value: number): string => value.toString(16);
const octal = (value: number): string => `0${value.toString(8)}`;
const whole: (bytes: readonly number[]) => number = ([a = 0, b = 0, c = 0, d = 0]) =>
  ((a * 256 + b) * 256 + c) * 256 + d;
/** Two groups of IPv6 that carry an IPv4 address. */
const groups: Write = ([a, b, c, d]) => `${hex(a * 256 + b)}:${hex(c * 256 + d)}`;
const dotted: Write = (bytes) => bytes.join('.');
const withDots =
  (dot: string): Write =>
  (bytes) =>
    bytes.join(dot);
/** Digits of another alphabet, from its zero on. */
const digitsFrom =
  (zero: number): Write =>
  (bytes) =>
    dotted(bytes).replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));
const mapped =
  (digits: string): Write =>
  (bytes) =>
    dotted(bytes).replace(/\d/g, (digit) => digits[Number(digit)]!);
const encoded = (text: string): string => text.replace(/./g, (character) => `%${character.charCodeAt(0).toString(16)}`);

/** IPv4 in forms that a URL parser reads as the address. */
const IPV4_FORMS: Readonly<Record<string, Write>> = {
  dotted,
  'with a dot at the end': (bytes) => `${dotted(bytes)}.`,
  decimal: (bytes) => String(whole(bytes)),
  'decimal with a dot at the end': (bytes) => `${whole(bytes)}.`,
  hexadecimal: (bytes) => `0x${hex(whole(bytes))}`,
  'hexadecimal in upper case': (bytes) => `0X${hex(whole(bytes)).toUpperCase()}`,
  'hexadecimal with zeros': (bytes) => `0x${hex(whole(bytes)).padStart(16, '0')}`,
  octal: (bytes) => octal(whole(bytes)),
  'octal with zeros': (bytes) => `0000${whole(bytes).toString(8)}`,
  'dotted octal': (bytes) => bytes.map(octal).join('.'),
  'dotted octal with zeros': (bytes) => bytes.map((byte) => `00${octal(byte)}`).join('.'),
  'dotted hexadecimal': (bytes) => bytes.map((byte) => `0x${hex(byte)}`).join('.'),
  'dotted hexadecimal in upper case': (bytes) => bytes.map((byte) => `0X${hex(byte).toUpperCase()}`).join('.'),
  mixed: ([a, b, c, d]) => `0x${hex(a)}.${octal(b)}.${c}.0x${hex(d)}`,
  'of three parts': ([a, b, c, d]) => `${a}.${b}.${c * 256 + d}`,
  'of two parts': ([a, b, c, d]) => `${a}.${(b * 256 + c) * 256 + d}`,
  'of two parts, hexadecimal': ([a, b, c, d]) => `0x${hex(a)}.0x${hex((b * 256 + c) * 256 + d)}`,
  'of two parts, octal': ([a, b, c, d]) => `${octal(a)}.${octal((b * 256 + c) * 256 + d)}`,
  'percent-encoded': (bytes) => encoded(dotted(bytes)),
  'with percent-encoded dots': withDots('%2e'),
  'with percent-encoded dots in upper case': withDots('%2E'),
  'with ideographic dots': withDots('。'),
  'with full-width dots': withDots('．'),
  'with half-width dots': withDots('｡'),
  'with percent-encoded ideographic dots': withDots('%E3%80%82'),
  'in full-width digits': digitsFrom(0xff10),
  'in bold digits': digitsFrom(0x1d7ce),
  'in double-struck digits': digitsFrom(0x1d7d8),
  'in monospaced digits': digitsFrom(0x1d7f6),
  'in circled digits': mapped('⓪①②③④⑤⑥⑦⑧⑨'),
  'in superscript digits': mapped('⁰¹²³⁴⁵⁶⁷⁸⁹'),
  'in subscript digits': mapped('₀₁₂₃₄₅₆₇₈₉'),
  'with soft hyphens': (bytes) => dotted(bytes).replaceAll('.', '\u00ad.'),
  'with zero-width spaces': (bytes) => `\u200b${dotted(bytes)}`,
};

/** IPv6 addresses that carry an IPv4 address. */
const CARRYING_FORMS: Readonly<Record<string, Write>> = {
  'IPv4-mapped': (bytes) => `::ffff:${dotted(bytes)}`,
  'IPv4-mapped in hexadecimal': (bytes) => `::ffff:${groups(bytes)}`,
  'IPv4-mapped in upper case': (bytes) => `::FFFF:${groups(bytes).toUpperCase()}`,
  'IPv4-mapped, written out': (bytes) => `0:0:0:0:0:ffff:${groups(bytes)}`,
  'IPv4-mapped with all zeros': (bytes) => `0000:0000:0000:0000:0000:ffff:${dotted(bytes)}`,
  'IPv4-compatible': (bytes) => `::${dotted(bytes)}`,
  'IPv4-compatible in hexadecimal': (bytes) => `::${groups(bytes)}`,
  'IPv4-translated': (bytes) => `::ffff:0:${groups(bytes)}`,
  NAT64: (bytes) => `64:ff9b::${dotted(bytes)}`,
  'NAT64 in hexadecimal': (bytes) => `64:ff9b::${groups(bytes)}`,
  'NAT64 of a local prefix': (bytes) => `64:ff9b:1::${groups(bytes)}`,
  '6to4': (bytes) => `2002:${groups(bytes)}::`,
  '6to4, a host': (bytes) => `2002:${groups(bytes)}::1`,
  Teredo: (bytes) => `2001:0:4136:e378:8000:63bf:${groups(bytes.map((byte) => 255 - byte) as never)}`,
  'Teredo, the server': (bytes) => `2001:0:${groups(bytes)}:8000:63bf:3fff:fdd2`,
  ISATAP: (bytes) => `2a00:1450::5efe:${groups(bytes)}`,
  'ISATAP with the universal bit': (bytes) => `2a00:1450::200:5efe:${groups(bytes)}`,
  'ISATAP, link-local': (bytes) => `fe80::5efe:${groups(bytes)}`,
};

function bytesOf(address: string): [number, number, number, number] {
  return address.split('.').map(Number) as [number, number, number, number];
}

function spellings(forms: Readonly<Record<string, Write>>, wrap: (text: string) => string): readonly Spelling[] {
  return FORBIDDEN_IPV4.flatMap((address) =>
    Object.entries(forms).map(([form, write]) => ({ host: wrap(write(bytesOf(address))), form, address })),
  );
}

/** Every forbidden address in every form, as hosts of URLs. */
export const FORBIDDEN_HOSTS: readonly Spelling[] = [
  ...spellings(IPV4_FORMS, (text) => text),
  ...spellings(CARRYING_FORMS, (text) => `[${text}]`),
  ...FORBIDDEN_IPV6.flatMap((address) =>
    [address, address.toUpperCase(), writtenOut(address)].map((text) => ({ host: `[${text}]`, form: 'IPv6', address })),
  ),
  ...['fe80::1%25lo', 'fe80::1%25eth0', 'fe80::1%lo', '::1%25lo'].map((text) => ({
    host: `[${text}]`,
    form: 'with a zone',
    address: text,
  })),
];

/** Every forbidden address as a resolver can give it. */
export const FORBIDDEN_ANSWERS: readonly string[] = [
  ...new Set([
    ...FORBIDDEN_IPV4,
    ...FORBIDDEN_IPV6,
    ...FORBIDDEN_IPV4.flatMap((address) => Object.values(CARRYING_FORMS).map((write) => write(bytesOf(address)))),
  ]),
];

/** Whole URLs that are read otherwise than they look. `at` is the host and port of the canary. */
export function trickUrls(at: string): readonly string[] {
  const [host = '', port = ''] = at.split(':');
  return [
    `http://example.com@${at}/`,
    `http://example.com:80@${at}/`,
    `http://example.com%2f@${at}/`,
    `http://example.com%40@${at}/`,
    `http://a:b@${at}/`,
    `http://@${at}/`,
    `http://:@${at}/`,
    `http://${at}#@example.com/`,
    `http://${at}?@example.com/`,
    `http://${at}\\@example.com/`,
    `http://${at}/@example.com/`,
    `http:${at}/`,
    `http:/${at}/`,
    `http:///${at}/`,
    `http:\\\\${at}/`,
    `HTTP://${at}/`,
    `hTTp://LOCALHOST:${port}/`,
    `http://localhost.:${port}/`,
    `http://localhost%2e:${port}/`,
    `http://LocalHost%00:${port}/`,
    `http://ｌｏｃａｌｈｏｓｔ:${port}/`,
    `http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:${port}/`,
    `http://loc\u00adalhost:${port}/`,
    ` http://${at}/ `,
    `\thttp://${at}/`,
    `ht\ntp://${at}/`,
    `http://${host.replace('.', '.\t')}:${port}/`,
    `http://${host.replace('.', '\n.')}:${port}/`,
    `http://${host}:0${port}/`,
    `http://${host}:000${port}/`,
    `http://${host}.:${port}/`,
    `https://${at}/`,
    `ws://${at}/`,
    `ftp://${at}/`,
    `gopher://${at}/`,
    `file://${at}/etc/passwd`,
    `//${at}/`,
    at,
  ];
}

function writtenOut(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const [before, behind] = [head, tail].map((part) => (part === '' ? [] : part.split(':'))) as [string[], string[]];
  const zeros = Array.from({ length: 8 - before.length - behind.length }, () => '0');
  return [...before, ...zeros, ...behind].map((group) => group.padStart(4, '0')).join(':');
}
