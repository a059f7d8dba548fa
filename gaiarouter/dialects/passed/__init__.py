"""What is only ever passed through: moderations, pictures, speech, transcripts, ranking.

No target is asked in another format than the caller's, and no answer is put into another one: what matters of either is
read while its bytes go by.
"""
