import { Migration } from '@mikro-orm/migrations';

/** Why a call was rejected, for programs, beside the sentence for people. */
export class Migration0005RejectionCode extends Migration {
  override readonly name = '0005-rejection-code';

  override up(): void {
    this.addSql('alter table calls add column rejection_code text;');
  }

  override down(): void {
    this.addSql('alter table calls drop column rejection_code;');
  }
}
