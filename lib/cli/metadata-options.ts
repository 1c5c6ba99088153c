/** Facts that a memory is saved with. */
import { type Command, InvalidArgumentError } from 'commander';

/** What commander makes of {@link addMetadataOptions}. */
export interface MetadataFlags {
  name?: string;
  metadata?: Record<string, string>;
}

export function addMetadataOptions(command: Command): void {
  command
    .option('--name <name>', 'name of the memory, kept in its metadata')
    .option('--metadata <key=value>', 'a fact to keep with the memory (repeatable)', collectMetadata);
}

function collectMetadata(text: string, collected: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be key=value.');
  return { ...collected, [text.slice(0, equals)]: text.slice(equals + 1) };
}
