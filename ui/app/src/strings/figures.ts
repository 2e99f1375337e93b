/** Numbers within sentences. */

export const figures = new Intl.NumberFormat("en");

export const plural = (count: number, one: string, many: string) =>
  `${figures.format(count)} ${count === 1 ? one : many}`;
