import { defineWorker, PermanentError } from 'workhook/worker';
import { z } from 'zod';

const Order = z.object({
  order: z.object({
    id: z.string().min(1).max(100),
    currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as "EUR"'),
    items: z
      .array(
        z.object({
          sku: z.string().min(1).max(100),
          quantity: z.int().min(1).max(10_000),
          /** In the currency's smallest unit (cents), so that no sum is ever a fraction. */
          unitPriceMinor: z.int().min(0).max(100_000_000),
        }),
      )
      .min(1)
      .max(500),
    /** Percent off the whole order. */
    discountPercent: z.number().min(0).max(100).default(0),
  }),
  /** Percent; 19 is 19 %. Prices are without tax. */
  taxPercent: z.number().min(0).max(100),
  shippingMinor: z.int().min(0).max(10_000_000).default(0),
  /** Units in stock by SKU; one that is missing counts as none. */
  stock: z.record(z.string(), z.int().min(0)),
  /** Orders of more than this, in minor units with tax, are looked at by a person. */
  reviewAboveMinor: z.int().min(0).optional(),
});

/** Below this, an amount times a percentage is still a whole number that JavaScript holds exactly. */
const EXACT_MINOR_MAX = 50_000_000_000_000;

/** Computes an order's totals in whole minor units and decides: fulfil, back-order or review. */
export default defineWorker({
  id: 'order-handling',
  name: 'Order handling',
  description: 'E-commerce: totals, discount and tax in minor units, a stock check for each SKU, and a decision.',
  input: Order,
  timeoutMs: 5_000,
  run: ({ inputParams: { order, taxPercent, shippingMinor, stock, reviewAboveMinor } }) => {
    const subtotalMinor = order.items.reduce((sum, item) => sum + item.quantity * item.unitPriceMinor, 0);
    if (subtotalMinor > EXACT_MINOR_MAX) throw new PermanentError('The order is too large to be added up exactly.');
    const discountMinor = Math.round((subtotalMinor * order.discountPercent) / 100);
    const taxableMinor = subtotalMinor - discountMinor + shippingMinor;
    const taxMinor = Math.round((taxableMinor * taxPercent) / 100);
    const totalMinor = taxableMinor + taxMinor;

    const shortages = shortagesOf(order.items, stock);
    const needsReview = reviewAboveMinor !== undefined && totalMinor > reviewAboveMinor;
    return {
      orderId: order.id,
      currency: order.currency,
      subtotalMinor,
      discountMinor,
      shippingMinor,
      taxMinor,
      totalMinor,
      shortages,
      decision: needsReview ? 'review' : shortages.length > 0 ? 'back-order' : 'fulfil',
    };
  },
});

/** What is missing by SKU. Lines of the same SKU draw on the same stock. */
function shortagesOf(
  items: readonly { sku: string; quantity: number }[],
  stock: Readonly<Record<string, number>>,
): { sku: string; ordered: number; inStock: number; missing: number }[] {
  const ordered = new Map<string, number>();
  for (const { sku, quantity } of items) ordered.set(sku, (ordered.get(sku) ?? 0) + quantity);
  return [...ordered]
    .map(([sku, quantity]) => {
      const inStock = Object.hasOwn(stock, sku) ? (stock[sku] ?? 0) : 0;
      return { sku, ordered: quantity, inStock, missing: Math.max(0, quantity - inStock) };
    })
    .filter(({ missing }) => missing > 0);
}
