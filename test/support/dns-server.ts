import { createSocket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import ipaddr from 'ipaddr.js';

export interface DnsRecord {
  readonly type: 'A' | 'AAAA' | 'CNAME';
  /** An address, or a name. */
  readonly data: string;
  /** Whose record it is; the asked name by default. */
  readonly name?: string;
  /** Seconds; 0 by default: whoever asks again is answered anew. */
  readonly ttl?: number;
}

/** A DNS server on loopback over UDP (RFC 1035). */
export interface DnsServer {
  /** The questions so far, such as `A example.test`. */
  readonly questions: readonly string[];
  /** The records of an answer; none at first. Called once for each question. */
  answer: (name: string, type: 'A' | 'AAAA') => readonly DnsRecord[];
  /** Asks this server, over the network, for all addresses of a name. */
  readonly resolve: (hostname: string) => Promise<readonly LookupAddress[]>;
  close(): Promise<void>;
}

const TYPES = { A: 1, CNAME: 5, AAAA: 28 } as const;
const HEADER_BYTES = 12;

export async function openDnsServer(): Promise<DnsServer> {
  const questions: string[] = [];
  const state: Pick<DnsServer, 'answer'> = { answer: () => [] };
  const socket = createSocket('udp4');
  socket.on('message', (query, { address, port }) => {
    const { name, type, end } = readQuestion(query);
    questions.push(`${type ?? 'other'} ${name}`);
    const records = type === undefined ? [] : state.answer(name, type);
    socket.send(responseTo(query.subarray(0, end), name, records), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return {
    questions,
    get answer() {
      return state.answer;
    },
    set answer(answer) {
      state.answer = answer;
    },
    resolve: async (hostname) => {
      const [v4, v6] = await Promise.all([
        resolver.resolve4(hostname).catch(() => []),
        resolver.resolve6(hostname).catch(() => []),
      ]);
      return [...v4.map((address) => ({ address, family: 4 })), ...v6.map((address) => ({ address, family: 6 }))];
    },
    close: async () => {
      resolver.cancel();
      await new Promise<void>((done) => socket.close(done));
    },
  };
}

function readQuestion(query: Buffer): { name: string; type: 'A' | 'AAAA' | undefined; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  while (query[at] !== 0) {
    const length = query[at]!;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const asked = query.readUInt16BE(at + 1);
  const type = asked === TYPES.A ? 'A' : asked === TYPES.AAAA ? 'AAAA' : undefined;
  return { name: labels.join('.'), type, end: at + 5 };
}

function responseTo(question: Buffer, name: string, records: readonly DnsRecord[]): Buffer {
  const header = Buffer.from(question.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(0x8580, 2); // an authoritative answer, recursion desired and available, no error
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, question.subarray(HEADER_BYTES), ...records.map((it) => recordBytes(it, name))]);
}

function recordBytes({ type, data, name, ttl = 0 }: DnsRecord, asked: string): Buffer {
  const value = type === 'CNAME' ? nameBytes(data) : Buffer.from(ipaddr.parse(data).toByteArray());
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPES[type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(value.length, 8);
  return Buffer.concat([nameBytes(name ?? asked), fixed, value]);
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}
