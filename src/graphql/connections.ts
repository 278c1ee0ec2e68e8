import 'reflect-metadata'; // before any decorator of type-graphql runs, also where only a part of the schema is loaded
import { ArgsType, type ClassType, Field, Int, ObjectType } from 'type-graphql';
import { AppError } from '../errors.js';

const PAGE_ITEMS = { default: 25, max: 100 };

/** What every list that can grow takes, as the Relay connection specification has it. */
@ArgsType()
export class ConnectionArgs {
  @Field(() => Int, { nullable: true, description: 'How many at most, from the front: 25 without it, 100 at most.' })
  first?: number | null;

  @Field(() => String, { nullable: true, description: 'Only what comes behind this cursor.' })
  after?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'How many at most, from the back: 100 at most. Not beside `first`.',
  })
  last?: number | null;

  @Field(() => String, { nullable: true, description: 'Only what comes before this cursor.' })
  before?: string | null;
}

/** A page that was asked for, checked. */
export interface PageRequest {
  readonly limit: number;
  /** From the back: the last ones before `before`. */
  readonly fromEnd: boolean;
  readonly after: string | undefined;
  readonly before: string | undefined;
}

/** @throws AppError BAD_USER_INPUT for a page that makes no sense. */
export function pageRequest(args: ConnectionArgs): PageRequest {
  const first = args.first ?? undefined;
  const last = args.last ?? undefined;
  if (first !== undefined && last !== undefined) throw new AppError('BAD_USER_INPUT', 'Give first or last, not both.');
  const limit = first ?? last ?? PAGE_ITEMS.default;
  if (limit < 0 || limit > PAGE_ITEMS.max) {
    throw new AppError('BAD_USER_INPUT', `A page has from 0 to ${PAGE_ITEMS.max} items.`);
  }
  return { limit, fromEnd: last !== undefined, after: args.after ?? undefined, before: args.before ?? undefined };
}

@ObjectType('PageInfo', { description: 'Where a page lies in its list.' })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether there is more behind this page.' })
  readonly hasNextPage!: boolean;

  @Field(() => Boolean, { description: 'Whether there is more before this page.' })
  readonly hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true, description: "The first item's cursor; null on an empty page." })
  readonly startCursor!: string | null;

  @Field(() => String, { nullable: true, description: "The last item's cursor; null on an empty page." })
  readonly endCursor!: string | null;
}

/** A page that was read, in the order of the list. */
export interface Page<T> {
  readonly edges: readonly Edge<T>[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** Counts the whole list; only called when somebody asks. */
  readonly count: () => Promise<number>;
}

export interface Edge<T> {
  readonly cursor: string;
  readonly node: T;
}

export interface Connection<T> {
  readonly edges: readonly Edge<T>[];
  readonly nodes: readonly T[];
  readonly pageInfo: PageInfo;
  totalCount(): Promise<number>;
}

/** Makes the types `<name>Connection` and `<name>Edge`. */
export function connectionType<T extends object>(
  name: string,
  nodeType: () => ClassType<T> | (abstract new (...args: never[]) => T),
): new (page: Page<T>) => Connection<T> {
  @ObjectType(`${name}Edge`, { description: `An item of a list of type ${name}, and its place there.` })
  class EdgeObject implements Edge<T> {
    @Field(() => String, { description: 'Stands for this place in the list: for `after` and `before`.' })
    readonly cursor!: string;

    @Field(() => nodeType(), { description: 'The item.' })
    readonly node!: T;
  }

  @ObjectType(`${name}Connection`, { description: `A page of a list of type ${name}.` })
  class ConnectionObject implements Connection<T> {
    readonly #page: Page<T>;

    constructor(page: Page<T>) {
      this.#page = page;
    }

    @Field(() => [EdgeObject], { description: 'The items with their cursors.' })
    get edges(): readonly Edge<T>[] {
      return this.#page.edges;
    }

    @Field(() => [nodeType()], { description: 'The items.' })
    get nodes(): readonly T[] {
      return this.#page.edges.map(({ node }) => node);
    }

    @Field(() => PageInfo, { description: 'Where the page lies in the list.' })
    get pageInfo(): PageInfo {
      const { edges, hasNextPage, hasPreviousPage } = this.#page;
      return {
        hasNextPage,
        hasPreviousPage,
        startCursor: edges[0]?.cursor ?? null,
        endCursor: edges.at(-1)?.cursor ?? null,
      };
    }

    @Field(() => Int, {
      description: 'How many there are in all. Counting costs more than a page: ask only when needed.',
    })
    async totalCount(): Promise<number> {
      return await this.#page.count();
    }
  }
  return ConnectionObject;
}
