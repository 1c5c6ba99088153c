import { number } from './options.js';

/** Default probability of finding something in noise alone. */
const FALSE_ALARM = 0.05;
const [LEAST, MOST] = [1e-6, 0.5];

/** The level of tests against noise. */
export function checkedFalseAlarm(op: string, falseAlarm: unknown): number {
  if (falseAlarm === undefined) return FALSE_ALARM;
  return number(op, 'falseAlarm', falseAlarm, (level) => level >= LEAST && level <= MOST, `a number from ${LEAST} to ${MOST}`);
}
