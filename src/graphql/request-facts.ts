/** What the HTTP side knows of a request, as far as it is needed here. `http` hands over more, which fits too. */
export interface RequestFacts {
  readonly requestId: string;
  /** Whether it came over HTTPS as far as the caller is concerned. */
  readonly secure: boolean;
  /** Host and port that the caller asked for. */
  readonly host: string;
}
