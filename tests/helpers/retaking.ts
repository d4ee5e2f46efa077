export * from "../../lib/testing/compliance/retaking.ts";
