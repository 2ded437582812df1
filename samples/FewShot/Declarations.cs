namespace PeftGen.Models;

// All that is declared: a group for each method that is compared. The rest of the class is samples/Models/Bert, as it stands.
[LoRA(rank: 8, targets: "q,v", Group = "lora")]
[IA3(Group = "ia3")]
[Bottleneck(reduction: 8, Group = "pfeiffer")]
[ParallelAdapter(reduction: 2, Group = "side")]
[PrefixTuning(length: 10, Projection = 256, Group = "prefix")]
[UniPELT(Group = "unipelt")]
public partial class BertModel;
