import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  visit,
} from 'graphql';
import { codedError } from '../errors.js';

/** What a document may have, whatever it asks for. */
export interface DocumentLimits {
  /** Lexical tokens; counted while parsing, which ends there. */
  readonly tokensMax: number;
  /** Fields below one another, fragments counted where they are used. */
  readonly depthMax: number;
  readonly aliasesMax: number;
  readonly directivesMax: number;
  /** Fields of Query, Mutation or Subscription in one operation. */
  readonly rootFieldsMax: number;
}

/** Several times what the dashboard and the standard introspection query need. */
export const DOCUMENT_LIMITS: DocumentLimits = {
  tokensMax: 2_000,
  depthMax: 12,
  aliasesMax: 30,
  directivesMax: 30,
  rootFieldsMax: 20,
};

/** A validation rule that refuses what is beyond the limits; needs no type, so it can stand before every other rule. */
export function documentLimitsRule(limits: DocumentLimits): (context: ValidationContext) => ASTVisitor {
  return (context) => ({
    Document: {
      enter(document) {
        for (const message of exceededLimits(document, limits)) {
          context.reportError(codedError('COST_LIMIT_EXCEEDED', message));
        }
      },
    },
  });
}

/** What is limited, by the names that callers see. */
export type DocumentLimitName = 'TOKENS' | 'LEVELS' | 'ALIASES' | 'DIRECTIVES' | 'ROOT_FIELDS';

/** What a document has of what is limited. */
export interface DocumentMeasures {
  /** Lexical tokens. */
  readonly tokens: number;
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
  readonly rootFields: number;
}

export function measureDocument(document: DocumentNode): DocumentMeasures {
  const shape = new DocumentShape(document);
  return {
    tokens: document.tokenCount ?? 0,
    depth: shape.depth(),
    ...countNodes(document),
    rootFields: shape.rootFields(),
  };
}

/** What a document has too much of, in words. */
export function exceededLimits(document: DocumentNode, limits: DocumentLimits): string[] {
  const { aliases, directives, rootFields, depth } = measureDocument(document);
  return [
    tooMany('aliases', aliases, limits.aliasesMax),
    tooMany('directives', directives, limits.directivesMax),
    tooMany('fields at its root', rootFields, limits.rootFieldsMax),
    tooMany('levels of fields', depth, limits.depthMax),
  ].filter((message) => message !== undefined);
}

function tooMany(what: string, count: number, max: number): string | undefined {
  return count > max ? `The operation has ${count} ${what}; ${max} are allowed.` : undefined;
}

function countNodes(document: DocumentNode): { readonly aliases: number; readonly directives: number } {
  let aliases = 0;
  let directives = 0;
  visit(document, {
    Field: (field) => {
      if (field.alias !== undefined) aliases += 1;
    },
    Directive: () => {
      directives += 1;
    },
  });
  return { aliases, directives };
}

/** Walks each fragment once, however often it is spread: a document can spread 2^n times what it has written n times. */
class DocumentShape {
  readonly #document: DocumentNode;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;

  constructor(document: DocumentNode) {
    this.#document = document;
    this.#fragments = new Map(
      document.definitions
        .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
        .map((fragment) => [fragment.name.value, fragment]),
    );
  }

  /** The deepest operation. Below `__schema` and `__type` graphql-js has a rule of its own (MaxIntrospectionDepth). */
  depth(): number {
    return this.#most(({ selections }, ofSet) =>
      Math.max(
        0,
        ...selections.map((selection) => {
          if (selection.kind !== Kind.FIELD) return ofSet(selection);
          return selection.name.value.startsWith('__') ? 1 : 1 + ofSet(selection);
        }),
      ),
    );
  }

  /** The operation with the most. Fields that merge are counted as often as they are written. */
  rootFields(): number {
    return this.#most(({ selections }, ofSet) =>
      selections.reduce((sum, selection) => sum + (selection.kind === Kind.FIELD ? 1 : ofSet(selection)), 0),
    );
  }

  /** The greatest measure among the operations. A cycle of fragments, which another rule refuses, counts as nothing. */
  #most(measure: (set: SelectionSetNode, ofSet: (node: SetOwner) => number) => number): number {
    const known = new Map<string, number>();
    const ofSet = (node: SetOwner): number => {
      if (node.kind !== Kind.FRAGMENT_SPREAD) {
        return node.selectionSet === undefined ? 0 : measure(node.selectionSet, ofSet);
      }
      const name = node.name.value;
      const earlier = known.get(name);
      if (earlier !== undefined) return earlier;
      known.set(name, 0);
      const fragment = this.#fragments.get(name);
      const value = fragment === undefined ? 0 : measure(fragment.selectionSet, ofSet);
      known.set(name, value);
      return value;
    };
    const operations = this.#document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    return Math.max(0, ...operations.map((operation) => ofSet(operation as SetOwner)));
  }
}

type SetOwner =
  | { readonly kind: Kind.FRAGMENT_SPREAD; readonly name: { readonly value: string } }
  | {
      readonly kind: Kind.FIELD | Kind.INLINE_FRAGMENT | Kind.OPERATION_DEFINITION;
      readonly selectionSet?: SelectionSetNode | undefined;
    };
