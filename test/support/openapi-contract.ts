import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** A response as it came, header names in lower case. */
export interface RealResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Headers of the connection and the message, which every HTTP server sends. */
const TRANSPORT_HEADERS = new Set([
  'date',
  'connection',
  'keep-alive',
  'content-length',
  'content-type',
  'transfer-encoding',
]);

interface MediaForm {
  readonly examples?: Readonly<Record<string, unknown>>;
}

interface HeaderForm {
  readonly $ref?: string;
  readonly required?: boolean;
  readonly schema: object;
}

interface ResponseForm {
  readonly headers?: Readonly<Record<string, HeaderForm>>;
  readonly content?: Readonly<Record<string, MediaForm>>;
}

interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, ResponseForm>> }>>>
  >;
  readonly components: { readonly headers: Readonly<Record<string, HeaderForm>> };
}

/**
 * Compares real responses with the document: each must be there with its status, media type, headers and members, and
 * everything in the document must have come once.
 */
export class OpenApiContract {
  readonly #document: OpenApi;
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #seen = new Set<string>();

  constructor(document: unknown) {
    this.#document = closed(document) as OpenApi;
    this.#ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(this.#document, 'api');
  }

  /**
   * Takes note of a response to an operation, such as `post /api/v1/webhooks/{webhookId}`.
   *
   * @throws Error that says what does not stand in the document.
   */
  check(operation: string, response: RealResponse): void {
    const [method = '', path = ''] = operation.split(' ');
    const form = this.#document.paths[path]?.[method]?.responses[String(response.status)];
    const where = `${operation} ${response.status}`;
    if (form === undefined) throw new Error(`${where} is not documented: ${response.body}`);
    const pointer = `/paths/${escaped(path)}/${method}/responses/${response.status}`;
    this.#checkHeaders(where, form, response.headers);
    this.#seen.add(where);
    const type = response.headers.get('content-type');
    if (form.content === undefined) {
      if (response.body !== '') throw new Error(`${where} has a body: ${response.body}`);
      return;
    }
    const media = Object.keys(form.content).find((name) => name === type || name === type?.split(';')[0]);
    if (media === undefined) throw new Error(`${where} has the media type ${type}`);
    this.#seen.add(`${where} ${media}`);
    const isJson = media.endsWith('json');
    const body: unknown = isJson ? JSON.parse(response.body) : response.body;
    this.#validate(`${where} ${media}`, `${pointer}/content/${escaped(media)}/schema`, body);
    if (media === 'application/problem+json') this.#seen.add(`${where} ${(body as { code: string }).code}`);
  }

  /** What the document has and no response was: statuses, media types and codes of problems. */
  unseen(): string[] {
    const all = Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        Object.entries(responses)
          .filter(([status]) => status !== 'default')
          .flatMap(([status, { content = {} }]) => {
            const where = `${method} ${path} ${status}`;
            const codes = Object.keys(content['application/problem+json']?.examples ?? {});
            return [
              where,
              ...Object.keys(content).map((it) => `${where} ${it}`),
              ...codes.map((it) => `${where} ${it}`),
            ];
          }),
      ),
    );
    return all.filter((item) => !this.#seen.has(item));
  }

  #checkHeaders(where: string, form: ResponseForm, headers: ReadonlyMap<string, string>): void {
    const documented = new Map(
      Object.entries(form.headers ?? {}).map(([name, header]) => [name.toLowerCase(), this.#resolve(header)]),
    );
    for (const [name, value] of headers) {
      if (TRANSPORT_HEADERS.has(name)) continue;
      const header = documented.get(name);
      if (header === undefined) throw new Error(`${where} has the header ${name}, which is not documented`);
      if (!this.#fits(header.schema, value)) throw new Error(`${where} has ${name}: ${value}`);
    }
    for (const [name, { required }] of documented) {
      if (required === true && !headers.has(name)) throw new Error(`${where} lacks the header ${name}`);
    }
  }

  #fits(schema: object, value: string): boolean {
    return this.#ajv.validate(schema, value);
  }

  #resolve(header: HeaderForm): HeaderForm {
    return header.$ref === undefined ? header : this.#document.components.headers[header.$ref.split('/').at(-1)!]!;
  }

  #validate(where: string, pointer: string, body: unknown): void {
    let validate = this.#validators.get(pointer);
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: `api#${pointer}` });
      this.#validators.set(pointer, validate);
    }
    if (!validate(body)) {
      throw new Error(`${where}: ${this.#ajv.errorsText(validate.errors)}: ${JSON.stringify(body)}`);
    }
  }
}

/** Readers must take members that they do not know; here every one that is not documented is to be found. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]));
  const isOpen = members['type'] === 'object' && 'properties' in members && !('additionalProperties' in members);
  return isOpen ? { ...members, additionalProperties: false } : members;
}

function escaped(segment: string): string {
  return encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'));
}
