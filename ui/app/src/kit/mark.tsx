/** The mark of Parlour: a doorway with a voice in it. */
export function Mark({ className = "" }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className={className}>
      <path
        className="fill-accent"
        d="M16 2c7.200 0 12 5.200 12 12.200V26a4 4 0 0 1-4 4H8a4 4 0 0 1-4-4V14.200C4 7.200 8.800 2 16 2Z"
      />
      <path
        className="fill-surface"
        d="M16 8.500c3.900 0 6.500 2.700 6.500 6.500v9.200c0 .7-.8 1.100-1.400.7L18 23h-4.500A4 4 0 0 1 9.500 19v-4c0-3.800 2.600-6.500 6.500-6.500Z"
      />
    </svg>
  );
}
