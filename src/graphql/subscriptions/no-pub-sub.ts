import type { PubSub } from 'type-graphql';

/**
 * type-graphql asks for a bus before it makes subscriptions. Ours open streams of the event hub themselves
 * (`subscribe:`), so this one is never used.
 */
export const noPubSub: PubSub = {
  publish: () => {
    throw new Error('events are published with the transaction that they tell of');
  },
  subscribe: () => {
    throw new Error('a subscription must have its own stream');
  },
};
