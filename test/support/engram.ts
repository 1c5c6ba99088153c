/** The public API under test, as an installed package would give it. */
export * from 'engram';
